"""Rules for the words of the wire that libraries share: sockets, DNS, TLS, HTTP reasons, time.

Owns what libc, Go, Java, Node, Rust and curl say of a connection, whoever made it.
"""

from agentrun.core.failure import Kind
from agentrun.failures.rules import Level, Rule

RULES: tuple[Rule, ...] = (
    # not trusted: TLS and keys
    Rule(
        "tls.untrusted",
        Kind.SECURITY,
        words="certificate verify failed | certificate_verify_failed"
        " | certificate verification failed | self-signed certificate"
        " | self signed certificate | unable to get local issuer certificate"
        " | unable to verify the first certificate | unable_to_verify_leaf_signature"
        " | unable_to_get_issuer_cert | self_signed_cert | cert_has_expired"
        " | certificate has expired | cert_untrusted | err_tls_cert_altname_invalid"
        " | does not match certificate's altnames | x509: | ssl certificate problem"
        " | server certificate verification failed"
        " | certificate signed by unknown authority | pkix path building failed"
        " | sslhandshakeexception: no subject alternative"
        " | no alternative certificate subject name matches | net::err_cert"
        " | invalid peer certificate | unknownissuer | certificate is not trusted"
        " | certificate not trusted | issuer certificate is not"
        " | the remote certificate is invalid | certificate common name"
        " | certificate is not yet valid | tlsv1 alert unknown ca | alert bad certificate"
        " | alert certificate required | the certificate's owner does not match hostname"
        " | cannot verify | sec_error_unknown_issuer | certificate revoked"
        " | alert protocol version | unsupported protocol version"
        " | hostname mismatch, certificate | peer certificate cannot be authenticated",
        unless="cannot verify (?!.{1,120}certificate)",
    ),
    Rule(
        "ssh.host_key",
        Kind.SECURITY,
        level=Level.DECISIVE,
        words="unprotected private key file | host key verification failed"
        " | remote host identification has changed | no matching host key fingerprint"
        " | host key for server | server host key | not found in known_hosts"
        " | is not cached in the registry",
    ),
    # slow down
    Rule(
        "words.rate_limit",
        Kind.RATE_LIMIT,
        words="too many requests | rate limit | rate-limit | ratelimit | rate_limit | throttl"
        " | slow down | slow_down | toomanyrequests | rate exceeded"
        " | request limit exceeded | requests per minute | tokens per minute"
        " | requests per second | too many concurrent requests | please retry after"
        " | reduce your request rate | flood control exceeded | flood wait"
        " | try again later. too many",
        pattern=r"\btoo many (?:attempts|calls|queries|api calls|messages)"
        r"|\btoo many \w{1,30} (?:\(\d{1,9}\) )?(?:already |recently )?(?:issued|created|sent"
        r"|requested)\b|\b(?:being|been) rate[- ]?limited\b",
        level=Level.GENERAL,
    ),
    # the other side is not up to it
    Rule(
        "words.overloaded",
        Kind.OVERLOADED,
        words="overloaded | temporarily unavailable | service unavailable | bad gateway"
        " | internal server error | internalservererror | internal error occurred"
        " | at capacity | over capacity | too many connections | too many clients"
        " | max number of clients reached | server is busy | server busy"
        " | server too busy | currently unavailable | starting up | try again later"
        " | high demand | heavy load | no healthy upstream | upstream connect error"
        " | reset reason: overflow | unexpected server error | server had an error"
        " | backend error | queue is full | queue full | not enough capacity"
        " | insufficient capacity | insufficientinstancecapacity | under maintenance"
        " | scheduled maintenance | temporary server error | temporarily overloaded"
        " | server error 5 | maximum number of connections | connection pool is full"
        " | no available server | not currently available | loading model | is loading"
        " | internalserverexception | encountered an unexpected error | try your request again"
        " | down for maintenance | maintenance mode | in maintenance | undergoing maintenance",
        level=Level.GENERAL,
    ),
    # time
    Rule(
        "words.timeout",
        Kind.TIMEOUT,
        words="timed out | took longer than | etimedout | deadline exceeded | deadline_exceeded"
        " | deadlineexceeded | time limit exceeded | time-out | exceeded the time limit"
        " | took too long | operation too slow | not responding | no response within"
        " | did not respond in time | did not complete within"
        " | exceeded the maximum execution time | maximum execution time"
        " | und_err_connect_timeout | und_err_headers_timeout | err_socket_timeout"
        " | execution expired | request took longer",
        pattern=r"\bexceeded (?:its|the) (?:\w{1,20} ){0,2}(?:deadline|time ?limit)\b|timeout(?!['\"]?\s?[=:] ?(?:undefined|null|none|\d|false|true))",
        level=Level.GENERAL,
        unless=r"\b(?:invalid|unknown|unsupported|unexpected|bad) (?:option|value|argument"
        "|parameter|flag|duration|keyword)?.{0,20}timeout",
    ),
    # the connection
    Rule(
        "net.unreachable",
        Kind.NETWORK,
        words="connection refused | econnrefused | connection reset | econnreset | econnaborted"
        " | connection aborted | connection closed | connection was closed"
        " | connection lost | connection error | connection failed | connection broken"
        " | connection terminated | connection was refused | connection attempt failed"
        " | actively refused it | forcibly closed | network is unreachable | enetunreach"
        " | enetdown | network is down | host is unreachable | no route to host"
        " | ehostunreach | broken pipe | epipe | socket hang up | socket closed"
        " | err_socket_closed | network error | network failure | networkerror"
        " | network connection | could not resolve host | couldn't resolve host"
        " | could not resolve proxy | temporary failure in name resolution"
        " | temporary failure resolving | temporary failure looking up"
        " | name or service not known | nodename nor servname"
        " | no address associated with hostname | unknown host | unknownhostexception"
        " | no such host | getaddrinfo | enotfound | eai_again | dns lookup"
        " | name resolution | failed to lookup address | dns error"
        " | err_name_not_resolved | err_connection_ | err_internet_disconnected"
        " | err_network_changed | err_empty_response | err_http2_protocol_error"
        " | could not connect | couldn't connect | unable to connect | failed to connect"
        " | cannot connect | can't connect | unable to establish | remote end closed"
        " | remote end hung up | server closed the connection | server disconnected"
        " | server has gone away | lost connection | premature close | prematurely closed"
        " | premature eof | premature end of | unexpected disconnect | incomplete read"
        " | incompleteread | incomplete chunked read | transfer closed"
        " | empty reply from server | early eof | invalid response from proxy"
        " | fetch failed | failed to fetch | failed to download | error sending request"
        " | stream disconnected | stream error | rst_stream | http/2 stream | goaway"
        " | peer closed connection | connection to the server | no internet"
        " | check your internet | error connecting to | you are offline | can't reach | cannot reach | could not reach"
        " | unable to reach | failed to reach"
        " | wrong version number | ssl_error_syscall | unexpected_eof_while_reading"
        " | eof occurred in violation of protocol | tls handshake failed"
        " | tls connection was non-properly terminated | sslv3 alert handshake failure"
        " | handshake failure | ssl handshake"
        " | first record does not look like a tls handshake"
        " | server gave http response to https client | packet length too long"
        " | proxy connect aborted | can't open data connection"
        " | communications link failure | und_err_socket | other side closed"
        " | terminated unexpectedly while | websocket closed | err_stream_premature_close"
        " | err_socket_connection | unexpected eof while reading"
        " | software caused connection abort | stale file handle"
        " | transport endpoint is not connected | not connected | http: server gave"
        " | connection pool shut down",
        pattern=r"\bdial (?:tcp|unix|udp)\b.{0,160}: (?!.{0,500}i/o timeout)|\bread (?:tcp"
        r"|udp) .{0,120}: EOF\b|: EOF$|^EOF$|\bconnect(?:ion)? to \S{1,120} (?:failed"
        r"|refused)|\berror trying to connect\b|\bunreachable\b(?!=0)"
        r"|\bconnection to .{1,120} could not be established",
        level=Level.GENERAL,
        unless=r"\b(?:401 unauthorized|403 forbidden|404 not found|410 gone)\b",
    ),
    Rule(
        "net.specific",
        Kind.NETWORK,
        words="connection refused | econnrefused | connection reset by peer | econnreset"
        " | temporary failure in name resolution | name or service not known"
        " | could not resolve host | getaddrinfo enotfound | eai_again | no route to host"
        " | network is unreachable | socket hang up | remote end closed connection"
        " | server closed the connection unexpectedly | nodename nor servname"
        " | no such host | temporary failure resolving | broken pipe",
        unless="is the docker daemon running",
    ),
)
