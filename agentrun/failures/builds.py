"""Rules for compilers, test runners and linters: gcc, clang, ld, tsc, rustc, go, javac, pytest,
jest, vitest, mocha, eslint, ruff, mypy, make, cmake, ninja, Maven and Gradle builds.

Owns the line between code that is wrong (`logic`) and a tool or header that is absent.
"""

from agentrun.core.failure import Kind
from agentrun.failures.rules import Level, Rule

RULES: tuple[Rule, ...] = (
    Rule(
        "compiler.crash",
        Kind.CRASH,
        words="internal compiler error | the compiler unexpectedly panicked"
        " | please submit a bug report | compiler panicked"
        " | clang frontend command failed",
        pattern=r"^(?:gcc|g\+\+|cc|c\+\+|clang|collect2): .{0,60}(?:segmentation fault"
        "|ld terminated with signal 11)",
        level=Level.DECISIVE,
        unless="out of memory|virtual memory exhausted|killed signal|terminated signal 9"
        "|ld terminated with signal 9",
    ),
    Rule(
        "compiler.killed",
        Kind.OUT_OF_MEMORY,
        pattern="fatal error: killed signal terminated program|ld terminated with signal 9"
        r"|\(signal: 9, sigkill\)",
        level=Level.DECISIVE,
    ),
    # test runners
    Rule(
        "tests.setup",
        Kind.INVALID_CONFIG,
        pattern="^error: usage: |^pytest: error|^error: unrecognized arguments"
        "|unknown config option|no tests? (?:ran|collected|found|files? found"
        "|suites? found)|collected 0 items|^no test files|no tests to run"
        r"|pytest\.pytestunknownmarkwarning|'\S{1,200}' not found in `markers`"
        r"|fixture '\w{1,80}' not found|unknown option \"[^\"\n]{1,200}\" with value"
        "|fixture .{1,60} called directly|^no tests ran",
        unless=r"fixture '\w{1,80}' not found|^E +\w*Error\b|\bfailed\b.{0,40}\bpassed\b",
    ),
    Rule(
        "tests.no_target",
        Kind.NOT_FOUND,
        pattern="^error: (?:file or directory not found|not found): |no tests found related to"
        "|error: not found: /",
        level=Level.SPECIFIC,
    ),
    Rule(
        "tests.failed",
        Kind.LOGIC,
        pattern=r"^=+ .{0,80}\b\d{1,9} (?:failed|error)|^failed \S{1,200}::"
        r"|(?-i:^FAIL(?:ED(?!:))?:?[ \t])"
        r"|^(?:tests?|test suites|test files):? +\d{1,9} failed|\b\d{1,9} failing\b"
        r"|^failures!|^failed \((?:failures|errors)=|tests run: \d{1,9}, failures: [1-9]"
        r"|tests run: \d{1,9}, failures: \d{1,9}, errors: [1-9]|there (?:was"
        r"|were) \d{1,9} (?:failure|error)|^test result: failed|^--- fail"
        r"|\bassertion ?error\b|assertionfailederror|^not ok \d{1,9}|comparisonfailure"
        r"|\d{1,9} examples?, [1-9]\d{0,8} failures?|expected .{1,80} (?:but )?(?:was|got"
        r"|received|to (?:be|equal))|\bthere (?:are|were) (?:test|failing)"
        r"|\btests? failed\b|[1-9]\d{0,8} (?:tests?|specs?) (?:have )?failed|^# fail [1-9]"
        r"|^E  +assert"
        r"|execution failed for task ':\S*test",
        level=Level.GENERAL,
        unless=r"fixture .{1,40}file not found|^failed (?:to|with)\b",
    ),
    Rule(
        "tests.failed_first",
        Kind.LOGIC,
        pattern=r"expect\(\w{1,20}\)\.\w{1,40}\(.{0,40}\) failed|\(warning\): |^vet: "
        r"|^(?:E +(?:assert|assertionerror|fixture '\w{1,80}' not found)|assertionerror"
        r"|assertionerror \[err_assertion\]|fail(?:ed)? .{0,120}assertionerror"
        r"|assertionerror:.*)|\bassertionerror \[err_assertion\]|expect\(received\)"
        r"|^--- fail: |^test result: failed|^failed \(failures=\d|assertionfailederror"
        r"|thread '[^'\n]*' (?:\(\d{1,9}\) )?panicked at .{0,200}assertion"
        r"|\d{1,9} failed, \d{1,9} passed|^=+ .{0,60}\b\d{1,9} failed",
    ),
    # a linter that cannot parse the code names the place first
    Rule(
        "lint.parse",
        Kind.LOGIC,
        pattern=r"^ *\d{1,9}:\d{1,9} +error +(?:fatal )?(?:parsing|syntax) error",
    ),
    # absent tools, headers, libraries
    Rule(
        "compiler.header",
        Kind.MISSING_DEPENDENCY,
        pattern=r"fatal error: '?[\w/+-]{1,100}(?:\.h|\.hpp|\.hh)?'?(?:: no such file or directory"
        r"|' file not found)|cannot find -l\S{1,200}|library not found for -l"
        "|unable to find library -l|pkg-config .{0,60}not found"
        r"|no package '[^'\n]{1,200}' found|could not find (?:a )?(?:package|cmake|openssl"
        r"|boost|zlib)|linker `\w{1,80}` not found|no cmake_cxx_compiler"
        "|cmake_c(?:xx)?_compiler(?! not set)|error: toolchain|android sdk"
        r"|\bsdk location not found|could not find tools\.jar|java_home|no java runtime"
        "|no java compiler|is not a full path and was not found in the path"
        "|unable to find a (?:build program|make program)|cmake was unable to find"
        "|find_package|could not find the .{1,60} (?:library|package)"
        "|err_module_not_found|gradle .{0,60}could not find method",
        unless="does not match .{0,60}required version"
        r"|cmake \d{1,9}\.\d{1,9} or higher is required|java_home is set to an invalid"
        r"|fatal error: '?\./|android gradle plugin requires java|unsupported class file"
        "|could not find method",
    ),
    Rule("tsc.path", Kind.NOT_FOUND, pattern="error ts(?:5058|5057|6053|5083)"),
    Rule(
        "compiler.version",
        Kind.INVALID_CONFIG,
        pattern=r"cmake \d[\d.]* or higher is required|unrecogni[sz]ed command[- ]line option"
        "|unsupported class file major version|invalid (?:source|target) release"
        r"|release version \d{1,9} not supported"
        r"|source option \d{1,9} is no longer supported|error ts(?:50(?!57|58|83)\d\d"
        r"|5[1-9]\d\d|6(?!053)\d{3}|18003)|unknown compiler option"
        r"|could not create the build|requires java \d{1,9}|requires node"
        r"|edition `\d{1,9}` is unstable|edition 20\d\d is required|unknown target triple"
        "|unsupported target|java_home is set to an invalid|cmake_minimum_required"
        "|generator .{1,60} does not match|cmake error: could not create named generator"
        r"|tsconfig\.json.{0,60}not found|error: no input files"
        r"|no inputs were found in config file|error loading target specification"
        r"|could not find \"[^\"\n]{1,80}\" in plugin|couldn't resolve module/action"
        r"|could not find eslint\.config"
        "|no eslint configuration|eslint couldn't find (?:a|an|the) (?:config"
        r"|eslint\.config)|configuration for rule .{1,80} is invalid"
        "|definition for rule .{1,80} was not found"
        "|all files matched by .{1,80} are ignored",
    ),
    Rule(
        "compiler.plugin",
        Kind.MISSING_DEPENDENCY,
        pattern="eslint couldn't find the (?:plugin|config)|failed to load (?:plugin|parser"
        "|config)|cannot find (?:plugin|preset|parser)|error ts2307|error ts7016"
        "|error ts2688|cannot find implementation or library stub|"
        "cannot find type definition file|can't find crate for"
        r"|unresolved import `(?!crate|self|super)|package \S{1,120} does not exist$"
        "|could not find declaration file"
        "|module .{1,120} in the transform option was not found"
        "|test environment .{1,60} cannot be found|preset .{1,60} not found"
        r"|cannot find module '(?!\.{0,2}/)",
        unless=r"error ts2307: cannot find module '\.{1,2}/|unresolved import `crate",
    ),
    Rule(
        "make.missing",
        Kind.NOT_FOUND,
        words="no targets specified and no makefile found | needed by"
        " | does not appear to contain cmakelists.txt | makefile: no such file",
        pattern="no rule to make target '?.{1,200}', needed by",
        unless=r"\A(?!(?s:.*)(?:make|cmake|ninja))",
    ),
    Rule(
        "make.target",
        Kind.INVALID_CONFIG,
        words="no rule to make target | unknown target",
        unless="needed by",
    ),
    # the code
    Rule(
        "compiler.error",
        Kind.LOGIC,
        words="undefined reference to | undefined symbol | symbol(s) not found"
        " | unresolved external symbol | multiple definition of"
        " | collect2: error: ld returned | was not declared in this scope"
        " | implicit declaration of function | undeclared identifier"
        " | undeclared (first use | incompatible types | cannot find symbol"
        " | mismatched types | cannot borrow | borrow of moved value | use of moved value"
        " | missing separator | compilation failed | compilation error | build failed"
        " | could not compile | commands commence before first target | redefinition of"
        " | syntaxerror: | lint errors | problems ( | would reformat"
        " | be reformatted | code style issues | your code has been rated | type error "
        "| typeerror: | referenceerror:"
        " | has no attribute | is not a function | is not defined | is not iterable"
        " | cannot read propert | undefined method | undefined local variable"
        " | undefined variable | undefined: | imported and not used"
        " | declared and not used | unexpected indent | uncaught exception"
        " | unhandled exception | nullpointerexception | null pointer"
        " | nil pointer dereference | index out of range | index out of bounds"
        " | indexoutofboundsexception | panic: | panicked at | stack overflow"
        " | maximum call stack size exceeded | maximum recursion depth exceeded"
        " | all goroutines are asleep | unhandledpromiserejection"
        " | has no exported member | can't call method | not an arrayref"
        " | use of uninitialized value | segment violation in | parse error",
        pattern=r"^[^\s:][^:\n]{0,200}[:(]\d{1,9}(?:[:,]\d{1,9})?\)?: (?:fatal )?error\b"
        r"|\berror:? ts\d{4}\b|^error\[e\d{4}\]|^! undefined control sequence|^! (?:latex"
        r"|missing|emergency|extra|misplaced)|^g?awk: cmd\. line|^\S{0,40}awk: "
        r"|^[ \t]{1,40}error  +\S|^\S{1,200}:\d{1,9}:\d{1,9}: [EFWC]\d{3}"
        r"|✖ \d{1,9} problems?|found \d{1,9} errors? in \d{1,9} files?"
        r"|^found [1-9]\d{0,8} errors?|^\S{1,200}\.java:\d{1,9}: error"
        r"|^[ \t]{0,8}(?:\./)?[\w./-]{1,200}\.(?:go|py|rb|rs|cc?|cpp|cxx|h|hpp|java|kt|swift|tsx?"
        r"|jsx?|php|lua"
        r"|hs|ex|zig):\d{1,9}:\d{1,9}:(?: |$)|^\S{1,200}:\d{1,9}:\d{1,9}: note: "
        r"|^# \S{1,200}\n\S{1,200}\.go:\d{1,9}|\bld: \S{0,120}(?:undefined|duplicate)",
        level=Level.GENERAL,
        unless=r"cannot find module '(?!\.)|typeerror: (?:fetch failed|failed to fetch|terminated"
        "|network)|parse error(?!.{0,40}(?:near|expect|before|on line|syntax))",
    ),
    # a syntax error in a source file is the code's; one in a data file is the input's
    Rule(
        "code.syntax",
        Kind.LOGIC,
        pattern=r"\.(?:py|[cm]?[jt]sx?|vue|svelte|sh|bash|rs|go|java|kt|rb|php|cc?|cpp|cs|swift|scala"
        r"|sql|s?css|lua|pl|ex)\b[:(, ].{0,80}\b(?:syntax ?error|parse ?error|unexpected (?:token"
        r"|end of"
        r" file|eof|character))|\b(?:syntax ?error|parse[ _]error|invalid-syntax"
        r"|unexpected token)\b"
        r"[^\n]{0,200}(?:\n[^\n]{0,80}){0,3}[ /\[]\S{0,100}\.(?:py|[cm]?[jt]sx?|vue|svelte|sh"
        r"|bash|rs|go|java|kt"
        r"|rb|php|cc?|cpp|cs|swift|scala|sql|s?css|lua|pl|ex)\b[:( ]",
    ),
    Rule(
        "compiler.line",
        Kind.LOGIC,
        pattern=r"^[^\s:][^:\n]{0,200}(?::\d{1,9}(?::\d{1,9})?"
        r"|\(\d{1,9},\d{1,9}\)): (?:fatal )?error\b|\berror ts\d{4}\b|^error\[e\d{4}\]"
        r"|\[error\] \S{1,300}:\[\d{1,9},\d{1,9}\]|^error(?: in eval| in `?\w{1,80}\()"
        "|: error: command failed(?!.)|php (?:parse|fatal) error:",
        unless=r"\.h: no such file|no such file or directory|command not found|cannot find module"
        "|parse error: invalid numeric|there is no package called|allowed memory size",
    ),
    Rule(
        "dotnet.unhandled",
        Kind.LOGIC,
        pattern=r"^unhandled exception\. system\.(?!outofmemory|net\.|io\.|operationcanceled"
        "|timeout|accessviolation|typeload|dllnotfound)",
        level=Level.DECISIVE,
    ),
    Rule(
        "make.failed",
        Kind.LOGIC,
        pattern=r"^(?:g?make|ninja)(?:\[\d{1,9}\])?: (?:\*\*\* \[.{1,200}\] error \d{1,9}"
        r"|build stopped)|\berror \d{1,9}\n?\Z",
        level=Level.DEFAULT,
    ),
    Rule(
        "compiler.quiet",
        Kind.LOGIC,
        words="make: *** | cmake error | configuring incomplete",
        level=Level.DEFAULT,
    ),
)
