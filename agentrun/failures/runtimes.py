"""Rules for runtimes and tools of their own kind: Node, Java, Go, Rust, Ruby, PHP, Perl, .NET,
browsers and their drivers, CUDA, media and archive tools, jq and friends.

Owns what these print when the program on top of them is not to blame, and when it is.
"""

from agentrun.core.failure import Kind
from agentrun.failures.rules import Level, Rule

RULES: tuple[Rule, ...] = (
    # stopped, died
    Rule(
        "runtime.cancelled",
        Kind.CANCELLED,
        words="the operation was canceled | the operation was cancelled | operation cancelled"
        " | operation canceled | this operation was aborted | the operation was aborted"
        " | aborterror | keyboardinterrupt | request aborted | context canceled"
        " | err_aborted | request was aborted | taskcanceledexception"
        " | operationcanceledexception | cancellederror | the job was cancelled"
        " | the job was canceled | job was cancelled | has been cancelled"
        " | has been canceled | was cancelled | was canceled | cancellationexception",
        level=Level.GENERAL,
        unless=r"due to timeout|timed out|timeouterror|httpclient\.timeout|etimedout",
    ),
    Rule(
        "runtime.crash",
        Kind.CRASH,
        words="segmentation fault | sigsegv | sigabrt | core dumped | bus error"
        " | illegal instruction | trace/bpt trap"
        " | a fatal error has been detected by the java runtime environment"
        " | fatal python error | fatal error in , line"
        " | unexpected signal during runtime execution | fatal error: all goroutines"
        " | access violation | stack smashing detected | double free or corruption"
        " | free(): invalid | malloc(): | corrupted size vs. prev_size | heap corruption"
        " | [bug] segmentation fault | addresssanitizer | undefinedbehaviorsanitizer"
        " | target crashed | page crashed | browser has been closed | browser closed"
        " | target closed | target page, context or browser has been closed | tab crashed"
        " | session deleted because of page crash | chrome not reachable"
        " | browser has disconnected | browser disconnected | gpu process isn't usable"
        " | devtoolsactiveport file doesn't exist | cuda error: device-side assert"
        " | illegal memory access | an illegal memory access was encountered"
        " | unhandled cuda error | cuda error: unspecified launch failure | uncorrectable ecc"
        " | worker exited unexpectedly"
        " | a jest worker process | worker terminated due to | the worker has crashed"
        " | process crashed | unexpectedly crashed | aborted (core"
        " | floating point exception | bus error (core | child process exited abnormally"
        " | died unexpectedly | exited unexpectedly | process exited unexpectedly"
        " | invalid session id | err_ipc_channel_closed | unhandled page fault"
        " | failed to launch the browser process",
        pattern=r"\bfatal error: (?:unexpected signal|fault|found bad pointer|concurrent map"
        r"|stack overflow)|^aborted(?: \(core dumped\))?$|\bsignal(?:led)?:? (?:11|6"
        r"|segmentation|aborted)\b|\bsignal sig(?:segv|abrt|bus|ill|fpe)\b",
        unless="heap out of memory|out of memory|err_module_not_found"
        "|shared libraries|executable doesn't exist|concurrent map"
        r"|all goroutines are asleep|is marked as crashed|panic: runtime error"
        "|worker terminated due to reaching memory limit|sandbox",
    ),
    Rule(
        "go.concurrent_map",
        Kind.LOGIC,
        words="concurrent map | all goroutines are asleep | panic: runtime error"
        " | goroutine 1 [running]",
        level=Level.GENERAL,
    ),
    Rule(
        "browser.absent",
        Kind.MISSING_DEPENDENCY,
        words="executable doesn't exist at | npx playwright install | playwright install"
        " | could not find chrome | could not find chromium"
        " | could not find expected browser | browser was not found at"
        " | cannot find chrome binary | cannot find firefox binary"
        " | chromedriver' executable needs to be in path | unable to obtain driver"
        " | this version of chromedriver only supports"
        " | host system is missing dependencies | missing x server"
        " | unable to find binary in default location | browser is not installed"
        " | $display | cannot open display | unable to open x display"
        " | nosuchdriverexception",
        level=Level.DECISIVE,
        unless="no usable sandbox",
    ),
    Rule(
        "browser.sandbox",
        Kind.SECURITY,
        words="no usable sandbox | running as root without --no-sandbox is not supported",
    ),
    Rule(
        "browser.wait",
        Kind.TIMEOUT,
        pattern=r"(?:timeout|waiting) \d{1,9} ?ms exceeded|timeout of \d{1,9} ?ms exceeded"
        "|navigation timeout|waiting for (?:selector|locator|function) .{0,200}(?:failed"
        r"|exceeded|timed? ?out)|test timeout of \d{1,9}|exceeded timeout of \d{1,9} ?ms"
        "|script timeout|timed out receiving message from renderer|err_timed_out"
        "|err_connection_timed_out",
        level=Level.SPECIFIC,
    ),
    Rule(
        "browser.net",
        Kind.NETWORK,
        pattern="net::err_(?:name|connection_(?!timed)|internet|address|network|empty|proxy"
        "|tunnel|socket|http2|quic|ssl_protocol)|ns_error_(?:connection|unknown_host|net)",
    ),
    Rule(
        "browser.selector",
        Kind.LOGIC,
        words="strict mode violation | no element found for selector | no such element"
        " | unable to locate element | element is not attached"
        " | element click intercepted | stale element reference"
        " | element not interactable | is not a valid selector"
        " | cannot navigate to invalid url | execution context was destroyed"
        " | failed to find element matching selector",
        unless="cannot navigate to invalid url",
    ),
    Rule("browser.url", Kind.INVALID_CONFIG, words="cannot navigate to invalid url"),
    # memory of accelerators
    Rule(
        "cuda.absent",
        Kind.MISSING_DEPENDENCY,
        words="torch not compiled with cuda enabled | found no nvidia driver"
        " | no cuda-capable device | cuda driver version is insufficient"
        " | cuda_home environment variable is not set | no cuda gpus are available"
        " | libcudnn | libcuda.so | no cuda runtime | nvcc not found"
        " | could not find cuda | libcublas | mps backend",
        unless="out of memory",
    ),
    Rule(
        "torch.shapes",
        Kind.LOGIC,
        pattern="mat1 and mat2 shapes|expected all tensors to be on the same device|size mismatch"
        "|shapes? .{1,60} (?:not aligned|cannot be broadcast|mismatch)"
        "|operands could not be broadcast|cannot reshape array|inhomogeneous shape"
        "|can't convert cuda (?:tensor|:)|element 0 of tensors does not require grad"
        r"|index \d{1,9} is out of bounds|dimension out of range"
        "|must match the size of tensor|setting an array element with a sequence"
        "|expected .{1,40} got .{1,40} instead",
        unless="checksum|hash",
    ),
    # Node
    Rule(
        "latex.file",
        Kind.MISSING_DEPENDENCY,
        pattern=r"! latex error: file `[^'\n]{1,200}\.(?:sty|cls|def)' not found"
        "|! i can't find file",
    ),
    Rule(
        "node.own_module",
        Kind.LOGIC,
        unless=r"requirestack: \[\]",
        pattern=r"can't resolve '\.|cannot find module '(?:\.{1,2}"
        r"|/(?!.{0,200}node_modules))[^'\n]{0,200}'|does not provide an export named"
        "|err_package_path_not_exported|directory import .{1,200} is not supported"
        "|cannot use import statement outside a module"
        "|require is not defined in es module|must use import to load|err_require_esm"
        "|err_unsupported_dir_import",
        level=Level.DECISIVE,
    ),
    Rule(
        "node.module",
        Kind.MISSING_DEPENDENCY,
        pattern="cannot find module|cannot find package '|err_module_not_found"
        r"|module not found: (?:error: )?can't resolve '(?!\.)|could not resolve \"(?!\.)"
        r"|failed to resolve import \"(?!\.)|error: cannot find native binding"
        r"|was compiled against a different node\.js version|node_module_version"
        "|could not locate the bindings file|node-pre-gyp",
    ),
    Rule(
        "node.option",
        Kind.INVALID_CONFIG,
        words="bad option | is not allowed in node_options | err_invalid_url"
        " | unknown file extension | err_unknown_file_extension | err_invalid_protocol"
        " | err_socket_bad_port | err_unsupported_esm_url_scheme"
        " | err_invalid_package_config | err_invalid_arg_value | err_ossl_evp_unsupported"
        " | digital envelope routines::unsupported | err_unescaped_characters"
        " | err_invalid_char | err_invalid_http_token",
    ),
    Rule(
        "node.uncaught",
        Kind.LOGIC,
        pattern="^(?:uncaught )?(?:typeerror|referenceerror|rangeerror|syntaxerror|evalerror"
        r"|urierror)\b|err_invalid_arg_type|err_assertion|err_unhandled_rejection"
        "|err_stream_|err_http_headers_sent|err_use_after_close|err_out_of_range",
        level=Level.DEFAULT,
    ),
    Rule("node.error", Kind.LOGIC, pattern=r"^node\.js v\d{1,9}\.\d{1,9}", level=Level.DEFAULT),
    Rule(
        "node.script",
        Kind.NOT_FOUND,
        pattern=r"cannot find module '/(?s:.{0,2000})requirestack: \[\]",
        level=Level.DECISIVE,
    ),
    Rule(
        "json.model_reply",
        Kind.OUTPUT_FORMAT,
        pattern="syntaxerror: (?:unexpected token .{1,20}```|unexpected token '?<"
        "|unterminated string in json)|jsondecodeerror(?s:.{0,400})```",
    ),
    Rule(
        "node.json",
        Kind.INPUT_FORMAT,
        pattern="syntaxerror: (?:unexpected (?:token .{1,40} in json"
        "|token .{1,120} is not valid json|end of json input"
        "|non-whitespace character after json)|expected .{1,80} in json"
        "|bad control character|unterminated string in json"
        r"|.{1,120}(?:in json at position|is not valid json))|json\.parse",
        unless=r"syntaxerror: unexpected token '(?!.{0,120}json)|^(?:\[?api error|error: model)",
    ),
    Rule("java.no_main", Kind.LOGIC, words="main method not found in class"),
    # other languages
    Rule(
        "ruby.load",
        Kind.MISSING_DEPENDENCY,
        words="cannot load such file | could not find 'bundler' | bundler::gemnotfound"
        " | gem::missingspec | install missing gem executables"
        " | class not found | requires ext- | there is no package called"
        " | could not find or load main class | no main manifest attribute"
        " | could not load file or assembly | the framework 'microsoft"
        " | no .net sdks were found | could not execute because"
        " | package not found in current path | requested php extension",
        pattern=r"can't locate \S{1,200} in @inc|class ['\"][\w\\]{1,120}['\"] not found"
        r"|module '[^'\n]{1,200}' not found",
        unless="can't locate object method"
        r"|could not find or load main class(?s:.{0,2000})caused by: java\.lang\.noclass"
        r"(?!x)|cannot load such file -- \.|cannot load such file -- /",
    ),
    Rule(
        "perl.own",
        Kind.LOGIC,
        words="can't locate object method | global symbol | bareword"
        " | parse error: syntax error | php parse error | php fatal error | nomethoderror"
        " | nameerror | argumenterror | uncaught error | uncaught typeerror"
        " | (nomethoderror) | object reference not set | nullreferenceexception"
        " | classcastexception | unhandled exception. system. | exception in thread",
        pattern=r"\((?:nomethoderror|nameerror|argumenterror|typeerror|runtimeerror"
        r"|zerodivisionerror|keyerror)\)|cannot load such file -- [./]",
        level=Level.DEFAULT,
    ),
    Rule(
        "jvm.options",
        Kind.INVALID_CONFIG,
        words="unrecognized vm option | could not create the java virtual machine"
        " | unsupportedclassversionerror | has been compiled by a more recent version"
        " | error: could not find or load agent",
        unless="could not reserve enough space|insufficient memory|unable to access jarfile",
    ),
    Rule("jvm.jar", Kind.NOT_FOUND, words="unable to access jarfile"),
    Rule(
        "jvm.memory",
        Kind.OUT_OF_MEMORY,
        words="could not reserve enough space | <--- last few gcs --->"
        " | insufficient memory for the java runtime environment | java heap space"
        " | metaspace",
        level=Level.DECISIVE,
    ),
    # media, archives, documents
    Rule(
        "media.input",
        Kind.INPUT_FORMAT,
        words="invalid data found when processing input | moov atom not found"
        " | could not find codec parameters | error while decoding | header missing"
        " | no decode delegate for this image format | improper image header"
        " | corrupt image | not a jpeg file | not a png file"
        " | end-of-central-directory signature not found | cannot find zipfile directory"
        " | not in gzip format | not a bzip2 file | file format not recognized"
        " | this does not look like a tar archive | unexpected end of file"
        " | unexpected eof in archive | invalid compressed data | crc error"
        " | bad zipfile offset | is not a zip file | file is not a zip file"
        " | compressed file ended before | cannot open as archive"
        " | couldn't find end of central | pdf file is damaged | may not be a pdf file"
        " | syntax error: couldn't | skipping to next header"
        " | document is empty | start tag expected"
        " | premature end of data | mismatched tag | not well-formed | undefined entity"
        " | jq: error | parse error: invalid numeric literal | unfinished json term"
        " | stream does not contain any | output file does not contain any stream"
        " | image file is truncated | cannot identify image file | could not find end of"
        " | invalid yaml | mapping values are not allowed | did not find expected"
        " | could not find expected | found character that cannot start any token"
        " | found duplicate key | found undefined alias | invalid toml"
        " | error tokenizing data | no columns to parse from file"
        " | unable to parse string | is not utf-8 | can't decode byte"
        " | can't encode character | invalid start byte | bare quote in"
        " | wrong number of fields | extraneous or missing | invalid utf-8"
        " | invalid byte sequence | incomplete multibyte | illegal byte sequence"
        " | unable to load image | time data | does not match format"
        " | could not convert string | invalid literal for int | invalid isoformat string"
        " | not a valid uuid | badly formed hexadecimal",
        pattern=r"\bexpecting (?:value|property name|',' delimiter|':' delimiter)"
        r"|\bextra data: line|\binvalid control character at"
        r"|\bunterminated string starting at|jq: (?:parse )?error.{0,30}(?:parse|invalid)"
        r"|^parse error: |toml(?:decode|parse)|line \d{1,9} column \d{1,9}",
        unless="jq: error(?!.{0,60}(?:pars|load|invalid numeric))|syntaxerror: "
        r"|\.(?:sh|bash|py|[cm]?[jt]sx?|rb|php|go|rs|java|lua|pl):? (?:line )?\d",
    ),
    Rule(
        "media.setup",
        Kind.INVALID_CONFIG,
        pattern="unknown (?:encoder|decoder|filter|output format)|unable to (?:choose"
        "|find) (?:an output format|a suitable output format)|no such filter"
        "|unrecognized option|option .{1,40} not found|unsupported codec"
        "|at least one output file must be specified|error splitting the argument list"
        "|automatic encoder selection failed|requested output format .{1,60} is not"
        "|unknown (?:input|output) format|unrecognized format",
        level=Level.SPECIFIC,
    ),
    Rule(
        "jq.filter",
        Kind.LOGIC,
        pattern=r"^jq: (?:error(?!: could not open)|\d{1,9} compile error)"
        r"|awk: .{0,60}syntax error|sed: -e expression|\bbinary operator expected"
        r"|cannot iterate over|cannot index \w{1,80} with",
    ),
    Rule(
        "archive.password",
        Kind.AUTH,
        words="incorrect password | wrong password | password is incorrect | bad decrypt"
        " | bad password",
    ),
    Rule(
        "inotify",
        Kind.RESOURCE_CONFLICT,
        words="system limit for number of file watchers | inotify watch limit | inotify_add_watch",
        level=Level.DECISIVE,
    ),
)
