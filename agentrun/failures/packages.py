"""Rules for package managers: pip, uv, poetry, conda, npm, pnpm, yarn, bun, cargo, go modules,
Maven, Gradle, Bundler, Composer, NuGet, apt, dnf, apk, brew.

Owns the difference between a package that is not installed, one that does not exist and one that
cannot be combined with another.
"""

from agentrun.core.failure import Kind
from agentrun.failures.rules import Level, Rule

RULES: tuple[Rule, ...] = (
    # not trusted
    Rule(
        "packages.integrity",
        Kind.SECURITY,
        words="do not match the hashes | hash mismatch | hashes mismatch | hash sum mismatch"
        " | checksum mismatch | eintegrity | integrity checksum failed"
        " | integrity check failed | err_pnpm_tarball_integrity | verifying module"
        " | security error | checksum for | failed to verify the checksum"
        " | sha256 mismatch | sha-256 mismatch | sha1 mismatch | gpg check failed"
        " | gpg error | no_pubkey | expkeysig | badsig | is not signed"
        " | untrusted signature | signatures couldn't be verified"
        " | signatures were invalid | packages cannot be authenticated"
        " | could not be authenticated | in --require-hashes mode"
        " | hashes are required in --require-hashes | checksum verification failed"
        " | err_pnpm_trust | found 1 high severity | vulnerabilities found"
        " | checksum did not match | checksum does not match | the lock file's hash"
        " | public key is not available | public key for",
        unless="found 0 vulnerabilities|public key for .{1,60} accepted|npm error 404"
        r"|permission denied \(publickey|audited \d{1,9} packages"
        "|vulnerabilities found.{0,3}$(?s:.{0,2000})npm error",
        pattern=r"(?<![-\w])allow-scripts\b",
    ),
    # who are you, you may not
    Rule(
        "packages.auth",
        Kind.AUTH,
        words="eneedauth | npm error code e401 | npm err! code e401"
        " | unable to authenticate, need | incorrect or missing password"
        " | err_pnpm_fetch_401 | please log in to the registry | need auth"
        " | you must be logged in to publish | token provided was invalid | eotp"
        " | no token found, please run `cargo login` | please provide a `--token`"
        " | invalid or non-existent authentication information"
        " | 401 error, credentials not correct | lack of valid authentication credentials",
    ),
    Rule(
        "packages.permission",
        Kind.PERMISSION,
        words="npm error code e403 | npm err! code e403 | you do not have permission to publish"
        " | err_pnpm_fetch_403 | are not allowed to upload"
        " | isn't allowed to upload to project"
        " | the user name or password provided is not authorized | npm error code eacces"
        " | npm error code eperm | not writeable by your user"
        " | is not writable by your user | dpkg/lock-frontend, are you root"
        " | this operation requires super user privileges",
        pattern=r"\bindex .{1,200} returned a 403\b",
    ),
    Rule(
        "packages.published",
        Kind.RESOURCE_CONFLICT,
        words="cannot publish over the previously published"
        " | file already exists. see http | is already uploaded"
        " | already exists on crates | version already exists"
        " | this filename has already been used",
        level=Level.DECISIVE,
    ),
    Rule(
        "packages.server",
        Kind.OVERLOADED,
        pattern=r"npm (?:err!|error) code e50[023]|err_pnpm_fetch_50\d|http error 50[0239] "
        r"|50[023] server error|\b50[0239] +(?:service unavailable|bad gateway"
        r"|internal server error)|^e: failed to fetch .{1,200} 50[023]\b",
    ),
    # somebody holds it
    Rule(
        "packages.lock",
        Kind.LOCK,
        words="could not get lock /var/lib | unable to lock the administration directory"
        " | dpkg frontend lock | is another process using it | waiting for cache lock"
        " | blocking waiting for file lock | existing lock /var/run/yum.pid"
        " | unable to lock database | could not lock database | timeout waiting to lock"
        " | has already locked | another active homebrew | lock wait timeout"
        " | unable to acquire lock on | waiting for process with pid"
        " | lockerror: failed to acquire lock | timeout waiting for exclusive access"
        " | unable to acquire the dpkg",
        level=Level.DECISIVE,
        unless="permission denied",
    ),
    # dependency trees
    Rule(
        "packages.resolution",
        Kind.MISSING_DEPENDENCY,
        words="resolutionimpossible | conflicting dependencies | dependency conflict | eresolve"
        " | unable to resolve dependency tree | could not resolve dependency"
        " | no solution found when resolving | version solving failed | solvingfailed"
        " | failed to select a version for | unsatisfiableerror | unsatisfiable"
        " | offline mode and the artifact | libmambaunsatisfiable | resolvepackagenotfound"
        " | your requirements could not be resolved | could not find compatible versions"
        " | dependency problems | unmet dependencies"
        " | unable to correct problems, you have held broken packages"
        " | unsatisfied dependencies | err_pnpm_peer_dep_issues | peer dep"
        " | could not resolve dependencies | could not resolve all | nu1107"
        " | nothing provides | because no versions of | conflicting peer dependency"
        " | externally-managed-environment | package requirements could not be"
        " | missing go.sum entry | updates to go.mod needed | err_pnpm_unsupported_engine",
        unless="err_pnpm_unsupported_engine"
        "|could not resolve all.{0,200}(?s:.{0,2000})(?:connection|timed out|unknownhost"
        "|connect to|status code|received status)"
        "|could not resolve dependencies(?s:.{0,2000})(?:connect|timed out|status code: "
        "|unknown host|could not find artifact|pkix|was not found in)"
        "|was not found in the package registry|not found in the package registry"
        "|could not resolve all.{0,300}(?s:.{0,2000})(?:could not find "
        r"\S{1,200}:\S{1,200}:|could not (?:get|head) )",
    ),
    # what is not there
    Rule(
        "packages.unknown",
        Kind.NOT_FOUND,
        words="no matching distribution found"
        " | could not find a version that satisfies the requirement"
        " | was not found in the package registry | not found in the package registry"
        " | is not in this registry | is not in the npm registry | npm error code e404"
        " | npm err! code e404 | npm error code etarget | npm err! code etarget"
        " | notarget no matching version | no matching version found for"
        " | err_pnpm_fetch_404 | err_pnpm_no_matching_version | package not found"
        " | couldn't find package | unable to locate package"
        " | has no installation candidate | unable to find a match"
        " | no match for argument | no package | no such package | no available formula"
        " | no matching package named | no matching package found | could not find `"
        " | packagesnotfounderror | could not find gem"
        " | could not find a matching version of package | could not find artifact"
        " | nu1101 | nu1102 | unable to find package | no packages found"
        " | invalid version: unknown revision | unknown revision"
        " | does not match any packages | no required module provides package"
        " | malformed module path | has no versions"
        " | could not find any version that matches | doesn't have a version"
        " | not found: no such package | no candidate | error 404 | no versions of"
        " | 404 not found - get https://registry | couldn't find any versions for"
        " | not found on the registry | could not find package",
        pattern=r"\bcould not find [\w.-]{1,80}:[\w.-]{1,80}:\S"
        r"|^e: failed to fetch \S{1,300} +404\b|could not find gem '"
        r"|e: package '[^'\n]{1,200}'|^error: package `[^`\n]{1,200}` |target not found: ",
        unless="(?:connection broken|newconnectionerror|readtimeouterror|connecttimeouterror"
        "|sslerror|max retries exceeded|http error 5)"
        r"|error: package `[^`\n]{1,200}` (?:cannot|v|depends)"
        "|no required module provides package",
    ),
    Rule(
        "packages.go_module",
        Kind.MISSING_DEPENDENCY,
        words="no required module provides package | cannot find module providing package"
        " | cannot find package | missing go.sum entry | module lookup disabled",
    ),
    # what it was given, how it was called
    Rule(
        "packages.archive",
        Kind.INPUT_FORMAT,
        pattern="wheel '.{1,80}' .{0,200}is invalid|npm (?:err!|error) code ejsonparse"
        r"|--> \S{0,200}\.(?:toml|json|ya?ml|lock):\d|failed to parse (?:json|package\.json"
        r"|manifest|lock ?file|cargo\.toml"
        r"|pyproject\.toml)|(?:error|failed) parsing.{0,40}(?:package\.json|cargo\.toml"
        r"|pyproject)|err_pnpm_json_parse|invalid package\.json"
        "|zlib: unexpected end of file|tar_bad_archive|err_pnpm_broken_lockfile"
        "|failed to parse lock ?file|tar_entry_(?:error|invalid)",
    ),
    Rule(
        "packages.setup",
        Kind.INVALID_CONFIG,
        words="invalid requirement | does not appear to be a python project"
        " | is not a valid editable requirement | you must give at least one requirement"
        " | npm error code eusage | npm err! code eusage | ebadengine | ebadplatform"
        " | unsupported engine | unsupported platform | einvalidpackagename"
        " | einvalidtagname | requires a different python | requires-python"
        ' | error command " | python requirement | missing script | err_pnpm_no_script'
        " | err_pnpm_outdated_lockfile | frozen-lockfile | lockfile needs to be updated"
        " | lock file needs to be updated | needs to be updated, but `--locked`"
        " | needs to be updated, but `--frozen` | lockfile would have been modified"
        " | lockfile is out of | can only install with an existing package-lock"
        " | packages are looking for funding but | could not find `cargo.toml`"
        " | could not find a pyproject.toml | no pyproject.toml | no `pyproject.toml`"
        " | could not locate gemfile | composer could not find a composer.json"
        " | there is no pom in this directory | no project found"
        " | does not contain a gradle build | unknown lifecycle phase"
        " | no plugin found for prefix | command not found in package.json"
        " | go.mod file not found | no go files in | cannot find main module"
        " | err_pnpm_no_pkg_manifest | err_pnpm_no_importer_manifest | no package.json"
        " | couldn't find a package.json | requires rustc"
        " | please upgrade your rust compiler | feature `"
        " | pyproject.toml changed significantly since poetry.lock"
        " | unable to detect architecture | does not have a release file"
        " | is not supported on this platform | conflicting distribution"
        " | not a supported wheel on this platform | is not a supported wheel"
        " | malformed entry | the list of sources could not be read | task ' | ebadname"
        " | npm error notsup | npm err! notsup | is not compatible with your"
        ' | is not installable. neither | the engine "node" is incompatible | unknown command: " '
        "| unknown command:",
        unless="feature `(?!.{1,80}(?:is required|not|does))|task '(?!.{1,80} not found)"
        "|python requirement(?!s? )",
    ),
    Rule(
        "packages.toolchain",
        Kind.MISSING_DEPENDENCY,
        pattern="unable to find a compatible (?:version|interpreter|python|node|ruby|toolchain)"
        "|no compatible (?:version|interpreter|python|node|ruby|toolchain)s? (?:was |were )?found",
    ),
    # a target or feature that the manifest does not name
    Rule(
        "packages.no_feature",
        Kind.INVALID_CONFIG,
        pattern=r"\bdo(?:es)? not (?:contain|have) (?:this|these|the|that) features?\b",
    ),
    Rule(
        "packages.no_target",
        Kind.NOT_FOUND,
        pattern=r"^error: no (?:bin|example|test|bench|lib|library|default)(?:ary)? targets? ",
    ),
    # the build of a package
    Rule(
        "packages.header",
        Kind.MISSING_DEPENDENCY,
        pattern=r"invalid command 'bdist_wheel'|fatal error: '?[\w./+-]{1,120}\.h(?:pp"
        "|xx)?'?(?:: no such file or directory| file not found)"
        r"|error: microsoft visual c\+\+ .{0,40}required"
        "|failed building wheel .{0,80}(?s:.{0,2000})(?:no such file or directory: "
        r"'cmake'|command 'gcc' failed)|unable to execute '\w{1,80}': no such file"
        r"|error: command '[\w.+/-]{1,60}' failed: no such file"
        r"|pg_config executable not found|\bpkg-config\b.{0,120}(?:not found"
        r"|could not be found|was not found)|package '[^'\n]{1,200}', required by"
        "|gyp err! find (?:python|vs)|could not find any (?:python"
        "|visual studio) installation",
        level=Level.DECISIVE,
    ),
    Rule(
        "packages.build",
        Kind.LOGIC,
        words="metadata-generation-failed | subprocess returned error"
        " | error processing package | subprocess-exited-with-error"
        " | failed building wheel for | failed-wheel-build-for-install"
        " | npm error code elifecycle | npm err! code elifecycle"
        " | command failed with exit code | lifecycle script | gem::ext::builderror"
        " | build failed with an exception | failed to execute goal | failed to build `",
        level=Level.DEFAULT,
    ),
    Rule(
        "packages.wire",
        Kind.NETWORK,
        words="cannot initiate the connection to | failed to fetch http"
        " | some index files failed to download | err_pnpm_meta_fetch_fail | eai_again"
        " | npm error network | npm err! network | spurious network error"
        " | failed to update registry | download of config.json failed"
        " | connection broken by | could not fetch url | could not transfer artifact"
        " | unable to load the service index | failed to download metadata"
        " | cannot download repodata | error: failed retrieving file | fetch-failed"
        " | network request to",
        unless="timed out|timeout|etimedout|certificate|ssl certificate|404|401|403|50[023]"
        "|checksum|unauthorized|forbidden|no space left|gpg error|hash sum mismatch"
        "|enospc|too many requests|429",
    ),
)
