"""Rules for what goes into a model and what comes out: answers that do not fit, requests refused
for their form or their settings, models that do not exist.

Owns the shape of the exchange; identity, money and capacity are llm.py's.
"""

from agentrun.core.failure import Kind
from agentrun.failures.rules import Level, Rule

RULES: tuple[Rule, ...] = (
    # the answer is unusable
    Rule(
        "llm.answer",
        Kind.OUTPUT_FORMAT,
        words="tool_use_failed | json_validate_failed | failed to call a function"
        " | failed to generate json | failed_generation | malformed_function_call"
        " | malformed function call | malformed tool call | invalid tool call"
        " | output_parsing_failure | could not parse llm output | could not parse tool"
        " | invalid json output | failed to parse model | failed to parse response"
        " | failed to parse llm | model output did not match | model response did not"
        " | output validation | exceeded maximum retries | length limit was reached"
        " | finish_reason: length | finish_reason='length' | finish_reason\": \"length"
        " | stop_reason: max_tokens | stop_reason='max_tokens'"
        ' | stop_reason": "max_tokens | max_tokens or model output limit was reached'
        " | exceeded the 32000 output token maximum | output token maximum"
        " | did not return a valid | returned an empty response"
        " | empty response from model | no content in response | returned no content"
        " | model produced invalid | no tool call found in | model did not call"
        " | structured output | empty_model_output | response was truncated"
        " | invalid function arguments | invalid_tool_arguments"
        " | no object generated | did not match schema | did not match the schema"
        " | did not conform to the edit format | failed to match any lines",
        pattern=r"\bfinish_?reason\W{1,6}(?:length|max_tokens|malformed)"
        r"|\bstop_?reason\W{1,6}max_tokens|\bsearch/replace block(?:s)? failed",
        unless="malformed input request",
    ),
    Rule(
        "llm.answer_json",
        Kind.OUTPUT_FORMAT,
        words="not valid json | invalid json | expecting value: line | unexpected token",
        channels=("llm",),
    ),
    Rule(
        "http.answer_json",
        Kind.OUTPUT_FORMAT,
        exception="JSONDecodeError|ContentTypeError|DecodingError",
        channels=("http",),
    ),
    Rule(
        "llm.answer_shape",
        Kind.OUTPUT_FORMAT,
        exception=r"JSONDecodeError|\w*ValidationError|\w*OutputParser\w*",
        channels=("llm",),
        level=Level.GENERAL,
    ),
    Rule(
        "llm.gateway_body",
        Kind.OUTPUT_FORMAT,
        pattern="'(?:str|nonetype)' object (?:has no attribute '(?:choices|content|model_dump"
        "|usage)'|is not subscriptable)",
        channels=("llm",),
    ),
    # the model is not there
    Rule(
        "llm.model_not_found",
        Kind.NOT_FOUND,
        words="model_not_found | not_found_error | model not found | unknown model"
        " | invalid model name | invalid model | model identifier is invalid"
        " | is not a valid model | not a valid model id | deploymentnotfound"
        " | deployment for this resource does not exist | no such model"
        " | model_not_supported | requested entity was not found"
        " | unable to access non-serverless model | model does not exist"
        " | is not supported for generatecontent | is no longer available"
        " | has been deprecated | has reached its end of life"
        " | reached the end of its life | has been decommissioned"
        " | no conversation found with session id | try pulling it first | invalid_model",
        pattern=r"\bmodel\b[^,;\[\]{}\n]{0,120}\b(?:does not exist|doesn't exist|not found"
        "|not exist|is not found|was not found|no longer exists)"
        r"|\bthe model .{1,80} (?:has been|is) (?:deprecated|removed|retired"
        "|decommissioned)",
    ),
    # the request's form
    Rule(
        "llm.messages",
        Kind.INPUT_FORMAT,
        words="tool_use` ids were found without | tool_result` block | tool_use_id"
        " | must be a response to a preceeding message"
        " | must be a response to a preceding message | must be followed by tool messages"
        " | no tool output found for | no tool call found for | roles must alternate"
        " | expected last role | invalid_request_message_order | message order"
        " | conversation roles must alternate | must alternate between"
        " | must start with a user | first message must use"
        " | text content blocks must be non-empty | must be non-empty"
        " | all messages must have non-empty content"
        " | final assistant content cannot end with trailing whitespace"
        " | must be in base64 | could not process image | image exceeds"
        " | image dimensions exceed | invalid image | unsupported image"
        " | failed to download image | image_url | invalid base64"
        " | malformed input request | last message must"
        " | does not support assistant message prefill"
        " | function call turn comes immediately after"
        " | number of function response parts | contents is not specified"
        " | contents are required | unable to process input image"
        " | invalid schema for function | invalid_function_parameters | input_schema"
        " | json schema is invalid | could not parse the json body | unterminated string"
        " | invalid role | invalid_image | invalid 'messages"
        " | invalid value for 'content' | thinking blocks | expected `thinking`"
        " | signature in thinking block | array too long | too many images"
        " | tool use concurrency issues | too many documents | empty input"
        " | must contain the word 'json' | pdf cannot | could not process pdf",
        statuses=(400, 413, 415, 422, 500),
    ),
    # the request's settings
    Rule(
        "llm.setting",
        Kind.INVALID_CONFIG,
        words="unsupported_value | unsupported_parameter | unknown_parameter"
        " | unsupported value | unsupported parameter | unknown parameter"
        " | unrecognized request argument | unknown name | extra_forbidden"
        " | extra inputs are not permitted | extra fields not permitted"
        " | does not support tools | does not support tool | does not support function"
        " | support tool use | does not support image | does not support this"
        " | does not support parameters | does not support the effort"
        " | does not support thinking | is not supported with this model"
        " | not supported by this model | not supported with the"
        " | is not supported on this model | is not supported in the | only supported in"
        " | only supported with | max_tokens is too large | max_tokens:"
        " | supports at most | maximum allowed number of output tokens"
        " | thinking.budget_tokens | budget_tokens | use 'max_completion_tokens' instead"
        " | cannot both be specified | cannot be specified | invalid_parameter"
        " | decimal_above_max_value | decimal_below_min_value | integer_above_max_value"
        " | integer_below_min_value | unexpected value(s) | anthropic-beta"
        " | anthropic-version | anthropic_version | streaming is required for operations"
        " | missing required arguments | unexpected keyword argument"
        " | llm provider not provided | unsupportedparamserror"
        " | invalid_encrypted_content | zero data retention"
        " | developer instruction is not enabled | json mode is not enabled"
        " | on-demand throughput isn | api version not supported"
        " | input should be less than or equal | input should be greater than or equal"
        " | must be less than or equal to | should be in the range"
        " | the supported range is | outside the supported range | must be between"
        " | missing_required_parameter | is not allowed to be used"
        " | --enable-auto-tool-choice",
        channels=("llm", "subprocess", "http"),
        statuses=(),
        unless="^error: unexpected keyword|sqlstate",
    ),
)
