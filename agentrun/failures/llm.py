"""Rules for model providers: OpenAI, Anthropic, Gemini, Bedrock, Azure, Mistral, Groq, OpenRouter,
DeepSeek, Cohere, xAI, DashScope, Zhipu, Together, Fireworks, Hugging Face, Ollama, vLLM, llama.cpp,
and the libraries in front of them (LiteLLM, LangChain, Instructor).

Owns their error codes and sentences. The phrases for a full context were gathered from the
providers' own messages; they beat the status, since the same 429 or 400 carries all of them.
"""

from agentrun.core.failure import Kind
from agentrun.failures.rules import Level, Rule

RULES: tuple[Rule, ...] = (
    # a runner or server that died
    Rule(
        "llm.runner_died",
        Kind.CRASH,
        words="llama runner process has terminated | llama runner exited"
        " | model runner has unexpectedly stopped | runner process no longer running"
        " | enginedeaderror | enginecore encountered an issue"
        " | background loop has errored | asyncengine is dead | mcp server exited"
        " | mcp server closed | mcp server process exited | mcp server disconnected",
        unless="out of memory|cudaMalloc failed|error loading model|unable to allocate",
        level=Level.DECISIVE,
    ),
    # money or a plan
    Rule(
        "llm.quota_code",
        Kind.QUOTA,
        words="insufficient_quota | credit_balance_exhausted | spend_limit_exceeded"
        " | usage_limit_exceeded | usage_limit_reached | enforced_spend_limit_reached"
        " | billing_hard_limit_reached | billing_not_active | billing_error"
        " | billing hard limit | billing_disabled | insufficient_balance"
        " | insufficient_funds | quota_exceeded_error | access_terminated_error"
        " | arrearage | allocationquota | free-models-per-day | quota_limit_exceeded"
        " | monthly_request_count | servicequotaexceeded",
        level=Level.DECISIVE,
    ),
    Rule(
        "llm.quota_words",
        Kind.QUOTA,
        words="exceeded your current quota | exceeded your quota | exceeded your monthly"
        " | exceeded your daily | credit balance is too low | credit balance too low"
        " | insufficient balance | insufficient credit | insufficient funds"
        " | insufficient account balance | not enough credits | out of credits"
        " | no credits | credits exhausted | credits have been exhausted"
        " | used all available credits | used up your | run out of credits"
        " | ran out of credits | requires more credits | can only afford"
        " | add more credits | purchase more credits | purchase credits | top up"
        " | payment required | payment method | past due | spending limit | spend limit"
        " | usage limit | usage cap | specified api usage limits | weekly limit"
        " | session limit | 5-hour limit | monthly limit | daily limit | opus limit"
        " | plan limit | limit reached| | out of extra usage | requires a subscription"
        " | upgrade your plan | upgrade to pro | upgrade to plus | check your plan"
        " | trial key | free trial | free tier | free quota | per-day"
        " | too many tokens per day | requests per day | quota exhausted"
        " | exhausted your capacity | exhausted your daily quota | reached your quota"
        " | reached your free | 余额不足 | 免费额度 | 欠费 | 账户余额 | included credits"
        " | account balance | account is suspended | account has been suspended"
        " | premium request | requires billing to be enabled | billing to be enabled"
        " | billing is not enabled | billing is disabled | enable billing"
        " | billing account | check billing | billing details | billing-enabled",
        pattern=r"perday(?:per|\b|freetier|[-_])|quotaid['\"]?: ?['\"]\w*perday|\blimit: 0\b"
        r"|\bhit your (?:\w{1,80} ){0,3}limit\b|reached your (?:\w{1,80} ){0,4}(?:limit"
        r"|quota)|\b(?:usage|spend|plan|budget)[ _](?:limit|quota|cap)s? (?:reached"
        r"|exceeded|hit)|\blimit (?:will )?resets? (?:at|on|in|\w{3} )|\b(?:monthly|weekly"
        r"|daily|hourly|5-hour) (?:\w{1,80} )?(?:quota|limit|budget|allowance)"
        r"|\bbudget has been exceeded|exceededbudget|\bcalls / month"
        r"|\bcredits? (?:\w{1,20} ){0,2}(?:exceeded|exhausted|used up|depleted)"
        r"|\b(?:enough|any|sufficient|no remaining) credits?\b|\buntil credits are added"
        r"|\bover (?:its|your|the) (?:\w{1,20} ){0,2}(?:quota|allowance|plan)\b"
        r"|\b(?:contains|has|have|using|used) \d{1,9} .{0,40}\blimit is \d|\bkey limit exceeded"
        r"|\badd (?:a |your )?(?:credit card|payment)|\bbuy (?:more )?credits?\b|\bpayment information\b"
        r"|\b(?:billing|payment)[ _]limit|\b(?:extra|additional|paid) usage is required"
        r"|\b(?:card|payment) (?:was |has been |is )?declined|\btotal ?requests limit exceeded"
        r"|\b(?:your|the) (?:subscription|trial|plan) (?:has |is )?(?:ended|expired|inactive)",
        level=Level.DECISIVE,
        unless="perminute(?!(?s:.{0,2000})perday)|(?:try again"
        r"|retry) in (?:\d{1,2}m)?(?:\d{1,2}(?:\.\d{1,9})?s|\d{1,9}ms)\b(?!.{0,200}perday)"
        r"|calls / minute|\bnot (?:your|a|an) (?:usage|plan|account) limit"
        "|pull rate limit|push protection|disk quota"
        r"|rate_limit_exceeded['\"]?[,}].{0,20}$(?!.{0,500}perday)",
    ),
    # more than the model takes
    Rule(
        "llm.context_overflow",
        Kind.CONTEXT_OVERFLOW,
        words="context_length_exceeded | contextwindowexceeded | context_window_exceeded"
        " | contextoverflow | exceed_context_size | model_max_prompt_tokens_exceeded"
        " | prompt_too_long | request_too_large | maximum context length"
        " | max context length | maximum prompt length | maximum input length"
        " | maximum model length | context window | context length exceeded"
        " | exceeds the context length | exceeds context length | exceed context limit"
        " | exceeds context limit | context limit reached | context limit exceeded"
        " | available context size | prompt is too long"
        " | input is too long for requested model | input is too long | input too long"
        " | conversation is too long | messages too long | input token count"
        " | too many input tokens | too many tokens in"
        " | tokens in request more than max tokens allowed"
        " | exceeds the maximum number of tokens"
        " | exceeds the maximum number of input tokens"
        " | exceeds the maximum allowed number of tokens"
        " | exceeds maximum number of tokens | maximum tokens you requested exceeds"
        " | exceeds the model limit | exceeds token limit | token limit exceeded"
        " | exceeds the token limit | reduce the length of the messages"
        " | reduce the length of the prompt | reduce your message size"
        " | input or output tokens must be reduced | request too large for"
        " | request too large (max | request entity too large for model"
        " | too large for model | range of input length should be"
        " | max_new_tokens` must be | content_length_exceeds_threshold"
        " | string_above_max_length | exceeds the limit of"
        " | context size has been exceeded | prompt contains too many tokens"
        " | request exceeds the maximum size | maximum number of tokens"
        " | greater than the context length",
        pattern=r"\btoken indices sequence length is longer|\bcontext (?:is|was) (?:full|too long)"
        r"|\bprompt.{0,40}\btoo (?:long|large|big)\b|\b\d{1,9} tokens? .{0,40}(?:exceeds?"
        r"|longer than|greater than|>) .{0,60}(?:max|limit|context|\d{1,9})"
        r"|\binput length \(?\d{1,9}\)? .{0,30}exceeds"
        r"|\brequested tokens? \(\d{1,9}\) exceed",
        unless="exceeds the limit of (?!.{0,30}token)|response (?:was )?(?:cut|truncated)"
        r"|max_tokens(?:: \d{1,9})? > \d{1,9}|max_tokens is too large"
        r"|supports at most \d{1,9} completion tokens",
        channels=("llm", "http", "subprocess", "python"),
        level=Level.DECISIVE,
    ),
    # policy
    Rule(
        "llm.policy",
        Kind.SECURITY,
        words="content_filter | contentfilter | content filter | content filtering"
        " | content_policy | contentpolicyviolation | content policy"
        " | content management policy | responsibleaipolicyviolation | responsible ai"
        " | usage policies | usage policy | usage guidelines | safety settings"
        " | safety filter | safety system | safety reasons | flagged as | was flagged"
        " | been flagged | flagged for | prohibited_content | prohibited content"
        " | blockedreason | block_reason | blockreason | response was blocked"
        " | prompt was blocked | blocked by guardrail | guardrail | moderation"
        " | datainspectionfailed | data_inspection_failed | inappropriate content"
        ' | model refused | model refusal | stop_reason": "refusal'
        " | stop_reason': 'refusal | content_blocked | sensitive content"
        " | i can't assist with that | i cannot assist with that | i can't help with that"
        " | potentially violat | violates our | jailbreak | prompt injection | 不安全或敏感内容",
        pattern="refused to (?:answer|respond|generate|comply|continue)"
        r"|finish_?reason\W{1,6}(?:safety|recitation|blocklist|spii|prohibited_content"
        "|content_filter|refusal)",
    ),
    # who are you
    Rule(
        "llm.auth",
        Kind.AUTH,
        words="invalid_api_key | api_key_invalid | invalid api key | invalid api token"
        " | invalid x-api-key | incorrect api key | api key not valid | api key not found"
        " | api key is invalid | api key is missing | api key expired | api key has been"
        " | api key required | api key is required | no api key | missing api key"
        " | missing api_key | wrong api key | api_key client option must be set"
        " | must provide an api key | provide an api key | api key must be"
        " | didn't provide an api key | authentication_error | authentication method"
        " | could not resolve authentication | authentication fails"
        " | invalid authentication | invalid subscription key | invalid bearer token"
        " | oauth token has expired | oauth token revoked | token has been revoked"
        " | please run /login | no auth credentials found | no cookie auth credentials"
        " | user not found | the security token included in the request is invalid"
        " | unrecognizedclientexception | expiredtokenexception | invalidaccesskeyid"
        " | invalidapikey | login expired | re-authenticate | refresh token"
        " | access token could not be refreshed | you must be authenticated"
        " | missing bearer",
        pattern=r"\b[A-Z0-9_]*(?:API_KEY|_TOKEN|SECRET_KEY)\b.{0,80}(?:not set|missing|not found"
        r"|required|must be set|is unset|undefined|environment variable)|\b(?:set|provide"
        "|export|missing|specify|no) (?:the |your |a valid "
        r"|environment variable:? )?[`'\"]?[A-Z0-9_]*(?:API_KEY|TOKEN|SECRET)\b"
        r"|\bapi[-_ ]?key\b.{0,40}\b(?:invalid|incorrect|missing|expired|revoked|disabled"
        "|not valid|not found|wrong)",
        unless="unexpected token|tokens per|token limit",
    ),
    Rule(
        "llm.permission",
        Kind.PERMISSION,
        words="permission_error | permission_denied | unsupported_country"
        " | country, region, or territory not supported | location is not supported"
        " | not available in your country | not available in your region"
        " | does not have access to model | do not have access to the model"
        " | don't have access to the model | not have access to model"
        " | organization must be verified | must be verified to"
        " | not allowed to sample from this model | missing scopes"
        " | insufficient permissions for this operation | project does not have access"
        " | has not been used in project | organization has been disabled"
        " | not allowed to use this model | key not allowed to access model"
        " | request had insufficient authentication scopes | gated repo"
        " | on-demand throughput isn | no access to the specified model"
        " | does not have permission | vnet or firewall rules",
        pattern=r"(?<!or )you (?:don't|do not) have access\b",
        unless="on-demand throughput isn|was not found or|does not exist or you do not have access",
    ),
    # slow down
    Rule(
        "llm.rate_limit",
        Kind.RATE_LIMIT,
        words="rate_limit_exceeded | rate_limit_error | rate limit reached"
        " | rate limit exceeded | rate-limited upstream | exceeded token rate limit"
        " | exceeded call rate limit | requests rate limit exceeded"
        " | too many tokens, please wait | request would exceed your | resource_exhausted"
        " | resource exhausted | engine_overloaded_error"
        " | exceeded retry limit, last status: 429 | concurrency limit | 速率限制 | 请求频率"
        " | rate limit is exceeded | temporarily limiting requests"
        " | 访问量过大 | concurrent connections | limitrequests | limitburstrate",
        unless="resource exhausted: oom|received message larger|message larger than max",
    ),
    # not up to it
    Rule(
        "llm.overloaded",
        Kind.OVERLOADED,
        words="overloaded_error | server_is_overloaded | model is overloaded"
        " | engine is currently overloaded | service_tier_capacity_exceeded"
        " | tier capacity exceeded"
        " | capacity_exceeded | provider returned error | no available capacity"
        " | modelnotreadyexception | is not ready to serve"
        " | the model is currently loading | is currently loading | server_error"
        " | unable to submit request because the service is temporarily"
        " | the server had an error while processing | experiencing high demand"
        ' | high demand | high traffic | status": "unavailable | modelerrorexception'
        " | an error occurred while processing your request"
        " | the server had an error processing"
        " | service temporarily unavailable | request queue is full"
        " | maximum pending requests exceeded | no instances available",
    ),
    Rule(
        "llm.timeout",
        Kind.TIMEOUT,
        words="timeout_error | request timed out | modeltimeoutexception"
        " | idle timeout waiting for sse",
    ),
)
