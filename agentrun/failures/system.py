"""Rules for the words of the operating system and of shells: errno texts, usage errors, files.

Owns what libc, bash and nearly every command-line program print alike. Asked after the rules that
know a tool by name.
"""

from agentrun.core.failure import Kind
from agentrun.failures.rules import Level, Rule

RULES: tuple[Rule, ...] = (
    # memory
    Rule(
        "memory.exhausted",
        Kind.OUT_OF_MEMORY,
        words="heap out of memory | out of memory | cannot allocate memory | std::bad_alloc"
        " | java.lang.outofmemoryerror | oomkilled | oom-kill | oom killed"
        " | memory allocation of | memory limit exceeded | memory exhausted"
        " | virtual memory exhausted | failed to allocate memory"
        " | could not allocate memory | unable to allocate | not enough memory"
        " | insufficient memory | requires more system memory"
        " | more system memory than is available | enomem"
        " | fatal error: runtime: out of memory | exceeded its memory limit"
        " | exceeded memory limit | cgroup out of memory | exceeded unpickling memory"
        " | gc overhead limit exceeded | allowed memory size of"
        " | system.outofmemoryexception | jsheapoutofmemory"
        " | array buffer allocation failed | cuda_error_out_of_memory"
        " | cublas_status_alloc_failed | resource exhausted: oom"
        " | resourceexhaustederror: oom | failed to allocate buffer | mmap failed"
        " | exhausted virtual memory | memory_limit_exceeded | stored in kv cache"
        " | memory for the cache blocks",
        pattern=r"\bOOM when allocating|^killed(?:: 9)?$|: \d{1,9} killed\b|\bsignal: 9\b"
        r"|\bsignal: killed\b|^(?:\S{1,80}: )?line \d{1,9}: +\d{1,9} killed\b"
        r"|killed \(program |\bwith signal (?:9|SIGKILL)\b|\bmemoryerror\b"
        r"|\bmemory limit\b.{0,40}\bexceeded|<signals\.sigkill",
        level=Level.DECISIVE,
        unless="out of shared memory|nodes are available",
    ),
    # disk
    Rule(
        "disk.full",
        Kind.DISK_FULL,
        words="no space left on device | enospc | not enough space | disk is full | disk full"
        " | not enough disk space | insufficient disk space | insufficient storage"
        " | don't have enough free space | enough free space | out of disk space"
        " | disk quota exceeded | edquot | not enough free disk space"
        " | not enough free space | there is not enough space on the disk"
        " | low disk space | disk space is low | file system is full | filesystem is full"
        " | flood stage disk watermark | flood-stage watermark | could not extend file"
        " | free disk space | ran out of disk | got error 28 from storage"
        " | low on resource: ephemeral-storage",
        pattern=r"\b(?:os error|errno:?) 28\b",
        unless="system limit for number of file watchers|inotify",
        level=Level.DECISIVE,
    ),
    # you may not
    Rule(
        "os.denied",
        Kind.PERMISSION,
        words="permission denied | operation not permitted | read-only file system"
        " | access is denied | eacces | eperm: | erofs | must be run as root"
        " | must be root | are you root | need to be root | requires root"
        " | superuser privileges | requires elevation | is not in the sudoers file"
        " | insufficient permission | insufficient privilege | permission error"
        " | not permitted to | you do not have permission | you don't have permission"
        " | you are not allowed to | not authorized to | is not authorized"
        " | access denied | accessdenied | only root can | notcapable"
        " | again with the --allow- | denied: denied",
        pattern=r"\bforbidden\b|\bpermission[ _]denied\b|\[errno (?:1|13|30)\]"
        r"|\bos error (?:1|13|30)\b"
        r"|\b(?:correct|required|sufficient|necessary|appropriate|enough|proper) (?:\w{1,20} )?"
        r"(?:permissions?|privileges?|access rights|rights|roles?)\b"
        r"|\bpermission to .{1,80} has not been\b|\b(?:lacks?|missing) (?:the )?(?:\S{1,40} )?"
        r"(?:permissions?|privileges?)\b|\bonly (?:the )?(?:\w{1,20} )?(?:owners?|admins?"
        r"|administrators?|maintainers?|members) (?:can|may|are allowed)\b",
        level=Level.GENERAL,
        unless=r"\brate[- ]?limited\b|too many requests",
    ),
    # somebody holds it
    Rule(
        "lock.wait",
        Kind.LOCK,
        pattern=r"\block\b.{0,120} could not be acquired|(?:could not|unable to|failed to"
        r"|cannot) (?:acquire|obtain|get|take) (?:an? |the )?(?:\w{1,80} ){0,2}lock\b"
        r"|tim(?:ed? ?out|eout).{0,40}\block\b|\block is (?:already )?held|blockingioerror",
        level=Level.DECISIVE,
        unless=r"permission denied|due to lock timeout|package-lock|\bfork\b",
    ),
    Rule(
        "lock.another",
        Kind.LOCK,
        pattern=r"\banother (?:\w{1,20}[ -]){0,3}(?:request|operation|process|transaction|update"
        r"|job|deployment|build|run|instance|upgrade|session|user"
        r"|client)\b.{0,80}\b(?:in[- ]progress"
        r"|running|accessing|underway|pending|holding)\b"
        r"|\b(?:already |currently |being )(?:accessed|modified|updated|edited"
        r"|processed) by another\b"
        r"|\bexclusive access\b|\block_timeout\b"
        r"|\bconflict\w*\b[^.\n]{0,60}[.,;:] ?(?:please )?(?:try again|retry)\b",
        unless=r"\bport\b|\baddress\b|getupdates|listening",
    ),
    Rule(
        "state.wrong",
        Kind.RESOURCE_CONFLICT,
        pattern=r"\b(?:is|was) in (?:an? |the )?[\w'\"]{1,40} (?:state"
        r"|status)\b.{0,60}\b(?:can ?not"
        r"|can't|must be|not allowed|unable to)\b",
    ),
    Rule(
        "os.busy",
        Kind.LOCK,
        words="text file busy | etxtbsy | device or resource busy | ebusy"
        " | resource deadlock avoided | being used by another process"
        " | is being used by another | could not get lock | unable to acquire the lock"
        " | could not acquire lock | failed to acquire lock | unable to acquire lock"
        " | cannot acquire lock | lock is held by | lock held by | is locked by another"
        " | locked by another process | another process is holding"
        " | another instance is already running | another instance of this program"
        " | lock timeout | waiting for file lock | deadlock | database is locked"
        " | target is busy | resource is locked | could not obtain lock"
        " | timed out waiting for lock | timeout waiting for lock",
        pattern=r"\bunable to (?:obtain|get|take) (?:an? |the )?(?:exclusive )?lock\b"
        r"|\bfailed to (?:obtain|get|take|lock)\b.{0,60}\block\b"
        r"|\block file\b.{0,80}\bexists\b",
        level=Level.GENERAL,
        unless=r"all goroutines are asleep|package-lock\.json|lock ?file .{0,40}out of (?:date"
        "|sync)",
    ),
    Rule(
        "os.port_taken",
        Kind.RESOURCE_CONFLICT,
        words="address already in use | eaddrinuse | only one usage of each socket address"
        " | that port is already in use",
        level=Level.DECISIVE,
    ),
    Rule(
        "os.taken",
        Kind.RESOURCE_CONFLICT,
        words="address already in use | eaddrinuse | port is already allocated"
        " | too many open files | emfile | enfile | directory not empty | enotempty"
        " | already running | conflict | already exists | already in use | is in use"
        " | system limit for number of file watchers | already been taken"
        " | eisdir: illegal operation"
        " | already locked by",
        pattern=r"\b(?:is|are) not empty\b|(?<!such )\bfile exists\b|\beexist\b"
        r"|\bport \d{1,9} is (?:already )?(?:in use|taken|occupied)"
        r"|\b(?:only one usage of each socket address)",
        level=Level.GENERAL,
    ),
    Rule(
        "os.fork",
        Kind.OVERLOADED,
        pattern=r"resource temporarily unavailable|\bEAGAIN\b|can't start new thread|cannot fork"
        "|fork failed|unable to create (?:new )?(?:native )?thread|too many processes",
        level=Level.SPECIFIC,
        unless="could not get lock|unable to lock|lock-frontend|eai_again",
    ),
    # a tool is absent
    Rule(
        "shell.command_not_found",
        Kind.MISSING_DEPENDENCY,
        pattern=r"\bcommand not found\b"
        r"|^(?:\S{0,60}sh: )(?:\d{1,9}: )?(?:\S{1,80}: )?\S{1,80}: not found$"
        r"|^\S{1,80}: \d{1,9}: (?:\S{1,80}: )?\S{1,60}: not found$|failed to spawn: `"
        r"|is not recognized as (?:an internal|the name)|\bspawn \S{1,200} enoent\b"
        "|executable file not found|executable (?:doesn't exist|not found)"
        r"|\bno such command or|program not found\b"
        r"|\bunable to find (?:the )?(?:executable|program|binary)|(?:not found"
        r"|unable to find \S{1,60}|could not find \S{1,60}"
        r"|cannot find \S{1,60}) in (?:your |the |\$)?path\b"
        r"|\bnot found\b.{0,60}\binstall\b|/bin/\S{1,60}: not found"
        r"|not (?:be )?found on (?:your |the |\$)?path|is not installed|is not in (?:your "
        r"|the |\$)?path\b|please install\b|have you installed|(?:must|needs to"
        r"|should) be installed|not been installed|^command '?\S{1,60}'? not found"
        r"|unknown command: \S{1,60} is not installed"
        r"|could not find (?:the )?(?:executable|program|binary|command)\b"
        r"|\bno such file or directory: '?(?:ffmpeg|ffprobe|git|node|npm|docker|java"
        r"|python3?|gcc|make|convert)'?$|executable \S{1,60} not found|(?:make|ninja|sh"
        "|bash|xargs|env|exec|sudo|nice|time"
        r"|timeout): (?:failed to run command )?[‘'`\"]?[\w.+-]{1,60}['’\"]?: (?:no such "
        "file or directory|command not found)",
    ),
    Rule(
        "os.toolchain",
        Kind.MISSING_DEPENDENCY,
        pattern=r"\b(?:could not find|couldn't find|cannot find|can't find|unable to find"
        r"|no) (?:an? "
        r"|any |the )?(?:usable |suitable |compatible |matching |valid "
        r"|supported )?(?:[\w.+-]{1,30} )?"
        r"(?:interpreter|compiler|linker|engine|sdk|jdk|jre|toolchain|virtual environment)\b"
        r"|\b(?:sdk|jdk|jre|interpreter|compiler|linker|toolchain|driver|runtime|binary|executable)"
        r" (?:was |were |is |could )?not (?:be )?(?:found|installed|available)\b"
        r"|\bdependency \S{1,60} (?:was )?not found\b|\bno module named\b"
        r"|\bcould not import (?:module|extension|package|plugin)\b"
        r"|\bdriver\b.{0,60}\btoo old\b|\brequires git-bash\b",
    ),
    Rule(
        "os.shared_object",
        Kind.MISSING_DEPENDENCY,
        words="error while loading shared libraries | cannot open shared object file"
        " | library not loaded: | dll load failed",
        level=Level.DECISIVE,
    ),
    Rule(
        "os.library",
        Kind.MISSING_DEPENDENCY,
        pattern=r"could not find (?:native static library|directory of)|\bis not in std\b"
        r"|\bbinary is missing\b",
        words="error while loading shared libraries | cannot open shared object file"
        " | library not loaded | image not found | dll load failed | dllnotfoundexception"
        " | unsatisfiedlinkerror | could not load library | couldn't load library"
        " | unable to load library | failed to load shared library"
        " | failed to load dynlib | glibc_ | glibcxx_ | missing dependencies"
        " | missing dependency | missing required dependency | missing libraries"
        " | host system is missing dependencies",
    ),
    # it is not there
    Rule(
        "os.no_such",
        Kind.NOT_FOUND,
        words="no such file or directory | enoent | no such file | file not found"
        " | cannot find the file | cannot find the path | no such process"
        " | no such device | does not exist | doesn't exist | not found | no such"
        " | could not find | couldn't find | cannot find | can't find | unable to find"
        " | can't open file | cannot open file | failed to open file"
        " | unable to open file | unknown host key | do not exist | no matches found"
        " | no match for | could not be found | no urls matched | cannot be found"
        " | nonexistent | non-existent",
        pattern=r"\bno (?:\w{1,20} ){0,2}(?:files?|tables?|items?|resources?|records?|rows?|entries"
        r"|objects?|releases?|artifacts?|images?|users?|branches|matches)"
        r" (?:\w{1,20} ){0,4}(?:were |was )?(?:found|match(?:ed|ing)?)\b|\bos error (?:2|3)\b",
        level=Level.GENERAL,
    ),
    Rule(
        "config.environment",
        Kind.INVALID_CONFIG,
        pattern=r"\benv(?:ironment)? var(?:iable)?s?\b.{0,60}\b(?:not found|not set|not defined"
        r"|undefined|missing|unset|is empty|required)\b|\b(?:missing|required|undefined|unset)"
        r" env(?:ironment)? var(?:iable)?s?\b",
    ),
    # how it was called
    Rule(
        "cli.arity",
        Kind.INVALID_CONFIG,
        pattern=r"\baccepts (?:at most |at least |between )?\d{1,4} arg"
        r"|\brequired flag\(?s?\)? .{0,80}not set|\brequires (?:at least|at most"
        r"|exactly) \d{1,4} arg|\bcannot be applied to\b",
        channels=("subprocess",),
    ),
    Rule(
        "cli.unknown_option",
        Kind.INVALID_CONFIG,
        pattern=r"\b(?:unknown|unrecogni[sz]ed|invalid|illegal|unsupported|undefined|ambiguous"
        "|no such) (?:command[- ]line )?(?:option|flag|subcommand|sub-command|switch"
        r"|command)s?\b|\bunrecognized arguments|\bflag provided but not defined"
        r"|\bfound argument .{1,80} which wasn't expected|\bunknown shorthand flag"
        r"|\bthe following (?:required )?arguments (?:are required|were not provided)"
        r"|\boption requires an argument|\bscript not found \""
        r"|could not find an option named|^\w{1,20}: invalid \w{1,20}:? ?[‘'`\"]"
        r"|: error: argument .{1,60}: |\bunknown or unexpected option"
        r"|\b(?:requested |sub-?)?command [`'\"‘]?[\w:.-]{1,60}[`'\"’]? (?:does not exist"
        "|doesn't exist|is not defined|is not recogni[sz]ed as a command)",
        channels=("subprocess",),
        unless="'?bdist_wheel|is not installed",
    ),
    Rule(
        "cli.usage",
        Kind.INVALID_CONFIG,
        channels=("subprocess", "python"),
        pattern=r"\b(?:unknown|unrecogni[sz]ed|invalid|illegal|unexpected|unsupported|undefined"
        "|ambiguous|bad|no such) (?:command[- ]line )?(?:option|flag|argument|subcommand"
        r"|sub-command|switch|parameter|command|arguments|options|action|verb)s?\b"
        r"|\b(?:option|flag|argument)s? .{0,60}(?:unknown|not recogni[sz]ed|not defined"
        "|not supported|is invalid|requires an? (?:argument|value|parameter))"
        r"|\bflag provided but not defined"
        r"|\bthe following (?:required )?arguments (?:are required|were not provided)"
        r"|\bmissing (?:required )?(?:argument|option|operand|flag|parameter)"
        r"|\bexpected (?:one|at least one|\d{1,9}) argument|\brequires an argument"
        r"|\boption requires\b|\ba value is required for"
        r"|\bfound argument .{1,80} which wasn't expected|\btoo (?:few|many) arguments\b"
        r"|\binvalid choice:|\bunexpected extra argument|\bgot unexpected extra"
        r"|\bis not a (?:valid )?(?:git |docker |npm |gh |\w{1,80} )?(?:command|subcommand"
        r"|option|flag|choice)\b|\bmutually exclusive\b|\bcannot be used (?:with|together)"
        r"|\bcan't be used (?:with|together)|\bnot allowed with argument\b"
        r"|\bunexpected argument\b|\bunknown (?:shorthand )?flag\b"
        r"|\bunrecognized arguments\b|\bunknown or unexpected option\b"
        r"|\bhelp' for (?:a list|more|usage)|\bunknown keyword argument"
        r"|\bdid you mean (?:this|one of these)|\billegal option|\bis not one of\b",
        level=Level.GENERAL,
    ),
    Rule(
        "cli.usage_block",
        Kind.INVALID_CONFIG,
        pattern=r"^\s{0,3}usage: \S",
        level=Level.DEFAULT,
        channels=("subprocess",),
    ),
    Rule(
        "config.wrong",
        Kind.INVALID_CONFIG,
        pattern=r"\b(?:invalid|bad|malformed|incorrect|unsupported|missing|unknown"
        "|wrong) (?:configuration|config|setting|environment variable|env var|url|uri"
        "|port|schema|protocol|platform|architecture|value|version|scheme|provider"
        r"|profile|region)\b|\bconfiguration (?:error|is invalid|problem|option)"
        r"|\berror in (?:the )?config|\bconfig(?:uration)? (?:file )?error"
        r"|\benvironment variable\b.{0,60}\b(?:not set|required|missing|undefined"
        r"|must be set|is unset|not defined)|\bmissing required (?:environment|env|config"
        r"|setting)|\bmust (?:provide|specify|supply|define|export)\b|\b(?:is"
        r"|are) not (?:currently )?set\b|\bdepends on undefined\b|\bmust be (?:set"
        r"|specified|provided|configured|given|one of)\b|\bunbound variable\b"
        r"|\bparameter (?:null or )?not set\b|\bis required\b|\bnot configured\b"
        r"|\bis not supported\b|\bnot supported\b|\bunsupported\b|\bis not (?:a )?valid\b"
        r"|\bnot implemented\b|\bunknown (?:encoder|decoder|format|driver|type|backend"
        r"|engine|encoding|scheme)\b|\binvalid (?:argument|parameter|option)|\b(?:requires"
        r"|required) (?:python|node|go|java|ruby|php|rust|version)\b"
        r"|\bfunction not implemented\b|\bis deprecated and (?:will be|has been) removed"
        r"|\bno longer supported"
        r"|\bunknown (?:directive|rule|selector|key|keyword|property|section|field|setting"
        r"|attribute"
        r"|operator|unit|dialect|locale|time ?zone|codec|plugin|preset|target|goal|module"
        r"|variable)\b"
        r"|\bno ['\"`]?[\w.-]{1,60}['\"`]? (?:key|option|setting|section|property|entry) (?:was )?"
        r"(?:found|defined|specified)\b|\bno (?:active |default |current )?[\w-]{1,30} (?:is "
        r"|was )?"
        r"(?:selected|configured|specified)\b"
        r"|\b(?:is|are) (?:only )?(?:enabled|available|allowed|supported|valid) only (?:for|in|with"
        r"|on|when|inside)\b|\bonly (?:enabled|available|allowed|supported|valid) (?:for|in|with|on"
        r"|when|inside|within)\b|\bis not available (?:when|outside|in this|for this|on this)\b"
        r"|\bno (?:\w{1,20} )?config(?:uration)?s? (?:file )?(?:was |were )?found\b"
        r"|\binvalid [\w-]{1,30}[ -]config(?:uration)?\b|\bno [\w-]{1,30}(?: or [\w-]{1,30})? in"
        r" progress\b|\binvalid_scope\b"
        r"|\binvalid type\. expected\b|\bdon't meet the specifications of the schema"
        r"|\bcould not determine (?:\w{1,20} ){0,3}version\b",
        level=Level.GENERAL,
    ),
    # what it was given
    Rule(
        "input.malformed",
        Kind.INPUT_FORMAT,
        pattern=r"\b(?:corrupt(?:ed)?|malformed|truncated|damaged)\b|\bunexpected end of (?:file"
        r"|input|data|json|stream|archive)|\bunexpected eof\b|\bunexpected token\b"
        r"|\bnot in gzip format|\bdoes not look like a tar archive|\bbad magic"
        r"|\binvalid (?:json|yaml|xml|toml|csv|utf-?8|data|input|header|format|syntax in"
        r"|character|byte|date|image|archive|zip|file|base64|payload|request)|\b(?:parse"
        r"|parsing|syntax|decode|decoding|deserialization) errors?\b|\b(?:failed|unable"
        "|could not|cannot|couldn't|error) (?:to )?(?:parse|pars(?:e|ing)|decod(?:e|ing)"
        r"|deserialize|unmarshal)|\bargument list too long\b|\bfile name too long\b"
        r"|\bbinary file\b|\binvalid or incomplete multibyte|\binvalid continuation byte"
        r"|\bcan't decode byte|\bunrecogni[sz]ed (?:file|archive|image|input) format"
        r"|\bnot a (?:valid )?(?:zip|gzip|tar|json|png|jpeg|pdf|archive|image)\b"
        r"|\bcrc (?:error|failed|mismatch)|\b(?:is|are) too (?:large|big|long|short|small)\b"
        r"|\bfile too large\b|\b(?:cannot|can't|could not|unable to) convert\b"
        r"|\b(?:unbalanced|unterminated|unclosed)\b"
        r"|\b(?:could not|cannot|can't|unable to|failed to) (?:read|load"
        r"|open) (?:the )?(?:\w{1,20} )?"
        r"(?:certificate|private key|public key|image|pdf|archive|workbook|spreadsheet)\b"
        r"|\bcontains? (?:nan|null bytes?|infinity)\b|\bdoes not (?:appear|look"
        r"|seem) to be (?:an? )?(?:valid )?"
        r"(?:json|xml|yaml|csv|zip|image|pdf|archive)\b|\bnon-(?:readable|parseable)\b"
        r"|\bunsupported (?:file|image|media|input"
        r"|content)[ -](?:format|type)|\bunexpected character",
        level=Level.GENERAL,
    ),
    # the code
    Rule(
        "shell.syntax",
        Kind.LOGIC,
        pattern=r"^\S{0,120}: (?:-c: )?(?:line )?\d{1,9}: .{0,80}(?:syntax error|unexpected eof"
        "|bad substitution|unbound variable|integer expression expected|parse error)"
        r"|\bsyntax error near unexpected token|syntax error: unexpected end of file"
        r"|syntax error: unterminated|\bcan't find string terminator\b|\bdivision by (?:zero|0)\b"
        r"|\bbad substitution\b"
        "|: unbound variable$|parameter not set$",
    ),
    Rule(
        "io.error",
        Kind.UNKNOWN,
        words="input/output error | eio: i/o error",
        level=Level.GENERAL,
    ),
)
