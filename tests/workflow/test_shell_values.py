"""Hostile values in every quoting context of a command come out as they went in.

Each command prints its value and a NUL with a real shell; a value that was run would leave a file
behind. `refused` are the places where no spelling could keep a value data.
"""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from agentrun.workflow.shell import PREFIX, compile_shell, render_shell
from agentrun.workflow.template import ExpressionError, ValueTooLarge

HOSTILE = [
    "plain", "two words", "", " ", "$(touch pwned)", "`touch pwned`", "'; touch pwned; '", '"; touch pwned; "',
    "a\nb\n", "\n", "*", "?[a-z]*", "\\", "\\n$HOME", "${HOME}", "a'b\"c", "&& touch pwned", "| touch pwned",
    "EOF", "EOF\ntouch pwned\n", "-n", "--", "~", "#x", "!x", "{a,b}", "{1..3}", "é☃😀", "a[$(touch pwned)]", "%s%n",
    "}", "x}y", "/", "&", "\t x ", "$((1+1))", ";;", "esac", ")", "]]", "$'\\x41'", "\x01\x7f",
]  # fmt: skip

ANY_SHELL = {
    "unquoted, one word": "printf '%s\\0' ${{ v }}",
    "double quotes": 'printf "%s\\0" "${{ v }}"',
    "glued to text": "x=a${{ v }}b; x=${x#a}; printf '%s\\0' \"${x%b}\"",
    "glued to itself": "x=${{ v }}${{ v }}; printf '%s\\0' \"${x%${{ v }}}\"",
    "assignment": "x=${{ v }}; printf '%s\\0' \"$x\"",
    "export": "export X=\"${{ v }}\"; printf '%s\\0' \"$X\"",
    "substitution": "x=$(printf '%s.' ${{ v }}); printf '%s\\0' \"${x%.}\"",
    "substitution in double quotes": "x=\"$(printf '%s.' \"${{ v }}\")\"; printf '%s\\0' \"${x%.}\"",
    "backticks": "x=`printf '%s.' ${{ v }}`; printf '%s\\0' \"${x%.}\"",
    "backticks in double quotes": "x=\"`printf '%s.' \"${{ v }}\"`\"; printf '%s\\0' \"${x%.}\"",
    "default": "x=${u:-${{ v }}}; printf '%s\\0' \"$x\"",
    "default in double quotes": "printf '%s\\0' \"${u:-${{ v }}}\"",
    "pattern to cut": "y=p${{ v }}; z=${y%${{ v }}}; test \"$z\" = p; printf '%s\\0' \"${y#p}\"",
    "pattern to cut in double quotes": "y=p${{ v }}; z=\"${y%${{ v }}}\"; test \"$z\" = p; printf '%s\\0' \"${y#p}\"",
    "case": "case ${{ v }} in x.y) echo no;; ${{ v }}) printf '%s\\0' ${{ v }};; *) echo no;; esac",
    "case in a substitution": "x=$(case a in (${{ v }}) echo no;; a) printf '%s.' ${{ v }};; esac); printf '%s\\0' \"${x%.}\"",
    "here-document": "x=$(cat <<EOF\n${{ v }}.\nEOF\n); printf '%s\\0' \"${x%.}\"",
    "indented here-document": "x=$(cat <<-EOF\n\t'${{ v }}'.\n\tEOF\n); x=${x#\"'\"}; printf '%s\\0' \"${x%\"'.\"}\"",
    "test": "if [ ${{ v }} = \"${{ v }}\" ]; then printf '%s\\0' ${{ v }}; fi",
    "for": "for x in ${{ v }}; do printf '%s\\0' \"$x\"; done",
    "function": "f() { printf '%s\\0' \"$1\"; }; f ${{ v }}",
    "after a comment with a quote": "# it's ${{ v }}\nprintf '%s\\0' ${{ v }} # and ${{ v }}",
    "continued line": "printf \\\n  '%s\\0' \\\n  ${{ v }}",
    "dollar before it": "x=\"$${{ v }}\"; printf '%s\\0' \"${x#?}\"",
    "subshell": "(cd /; printf '%s\\0' ${{ v }})",
    "pipe": "printf '%s' ${{ v }} | cat; printf '\\0'",
    "argument of a nested shell": "sh -c 'printf \"%s\\0\" \"$1\"' _ ${{ v }}",
    "single quotes around it": "x='a'\"${{ v }}\"'b'; x=${x#a}; printf '%s\\0' \"${x%b}\"",
    "condition": "if test -n x${{ v }} && ! false; then printf '%s\\0' ${{ v }}; fi",
    "group": "{ printf '%s\\0' ${{ v }}; }",
}  # fmt: skip
BASH = {
    "here-string": "x=$(cat <<< ${{ v }}.); printf '%s\\0' \"${x%.}\"",
    "array": "a=(x ${{ v }} y); printf '%s\\0' \"${a[1]}\"; test ${#a[@]} = 3",
    "[[ == ]]": "[[ ${{ v }} == ${{ v }} ]] && printf '%s\\0' ${{ v }}",
    "[[ =~ ]]": "if [[ \"${{ v }}\" =~ ^${{ v }}$ ]]; then printf '%s\\0' ${{ v }}; fi",
    "braces": "x=({q,${{ v }}}); printf '%s\\0' \"${x[1]}\"",
    "replacement": "y=AxB; z=${y/x/${{ v }}}; z=${z#A}; printf '%s\\0' \"${z%B}\"",
    "replacement in double quotes": "y=AxB; z=\"${y/x/${{ v }}}\"; z=${z#A}; printf '%s\\0' \"${z%B}\"",
    "translated quotes": "printf '%s\\0' $\"${{ v }}\"",
    "process substitution": "cat <(printf '%s' ${{ v }}); printf '\\0'",
    "local": "f() { local x=${{ v }}; printf '%s\\0' \"$x\"; }; f",
}  # fmt: skip
COMMANDS = [(shell, name, text) for shell in ("bash", "sh") for name, text in ANY_SHELL.items()]
COMMANDS += [("bash", name, text) for name, text in BASH.items()]


def output(shell: str, command: str, values: list[str], folder: Path) -> list[str]:
    """Run the command once per value, in one process: a process each would take a minute."""
    env, scripts = dict(os.environ), []
    for number, value in enumerate(values):
        script, variables = render_shell(command, {"v": value})
        scripts.append("(\n" + script.replace(PREFIX, f"V{number}_") + "\n)\n")
        env |= {name.replace(PREFIX, f"V{number}_"): each for name, each in variables.items()}
    head = "set -euo pipefail\n" if shell == "bash" else "set -eu\n"
    done = subprocess.run(
        [shell, "-c", head + "".join(scripts)],
        env=env,
        capture_output=True,
        cwd=folder,
        check=False,
    )
    assert done.returncode == 0, (scripts, done.stderr)
    return done.stdout.decode().split("\0")[:-1]


@pytest.mark.parametrize(
    ("shell", "name", "command"), COMMANDS, ids=[f"{s}: {n}" for s, n, _ in COMMANDS]
)
def test_a_hostile_value_stays_data(shell: str, name: str, command: str, tmp_path: Path) -> None:
    assert output(shell, command, HOSTILE, tmp_path) == HOSTILE
    assert not list(tmp_path.iterdir())


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


@given(texts, st.sampled_from(COMMANDS))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_value_stays_data_anywhere(
    tmp_path: Path, value: str, where: tuple[str, str, str]
) -> None:
    assert output(where[0], where[2], [value], tmp_path) == [value]
    assert not list(tmp_path.iterdir())


REFUSED = """
echo '${{ v }}'
echo 'a'b'${{ v }}'
echo $'${{ v }}'
echo $((${{ v }} + 1))
echo "$(( ${{ v }} ))"
((x=${{ v }}))
echo $[ ${{ v }} ]
let x=${{ v }}
for ((i=0;i<${{ v }};i++)); do :; done
eval ${{ v }}
eval "echo ${{ v }}"
command eval ${{ v }}
if true; then eval ${{ v }}; fi
while read x; do eval ${{ v }}; done
x=$(eval ${{ v }})
{ eval ${{ v }}; }
! eval ${{ v }}
source ${{ v }}
. ${{ v }}
trap "rm ${{ v }}" EXIT
alias x=${{ v }}
bash -c "echo ${{ v }}"
sudo bash -ec "${{ v }}"
bash --norc -c "${{ v }}"
bash -o pipefail -c "${{ v }}"
bash -c -e "${{ v }}"
timeout 5 sh -c "a ${{ v }}"
find . -exec sh -c "echo ${{ v }}" \\;
docker exec c sh -c "${{ v }}"
xargs bash -c "${{ v }}"
python3 -c "print(${{ v }})"
python3.12 -W ignore -c ${{ v }}
perl -ne "${{ v }}"
perl -e"${{ v }}"
node -e "${{ v }}"
ruby -e "${{ v }}"
php -r "${{ v }}"
awk "/${{ v }}/" f
awk -F, "{print ${{ v }}}" f
sed "s/x/${{ v }}/" f
sed -e s/x/${{ v }}/ f
jq ".a == \\"${{ v }}\\"" f
psql -c "select ${{ v }}"
sqlite3 db "select ${{ v }}"
ssh host "ls ${{ v }}"
ssh -p 22 host ls ${{ v }}
ssh -o ProxyCommand=${{ v }} host
env -S "${{ v }}"
watch ls ${{ v }}
su -c "${{ v }}"
echo ${{ v }} | bash
echo "x ${{ v }}" | sh -s
bash <<< ${{ v }}
a[${{ v }}]=1
a=([${{ v }}]=1)
echo ${a[${{ v }}]}
echo ${x:${{ v }}:2}
echo ${${{ v }}}
[[ ${{ v }} -eq 1 ]]
[[ 1 -lt ${{ v }} ]]
[[ -v ${{ v }} ]]
test -v ${{ v }}
printf -v ${{ v }} x
read ${{ v }}
unset ${{ v }}
export ${{ v }}
declare ${{ v }}=1
declare -i x=${{ v }}
declare -a x=${{ v }}
declare -i n; n=${{ v }}
PS4=${{ v }}
env PS4=${{ v }} bash -x f
export BASH_ENV=${{ v }}
n=${{ v }}; echo $((n + 1))
n="${{ v }}"; for ((i=0;i<n;i++)); do :; done
n=${{ v }}; [[ $n -eq 1 ]]
f() { local n=${{ v }}; ((n++)); }; f
PROMPT_COMMAND=${{ v }} bash
echo \\${{ v }}
echo "\\${{ v }}"
echo {1..${{ v }}}
echo `echo \\`echo ${{ v }}\\``
cat <<'EOF'¶${{ v }}¶EOF
cat <<"EOF"¶${{ v }}¶EOF
cat <<\\EOF¶${{ v }}¶EOF
cat <<${{ v }}¶x¶
bash <<EOF¶echo ${{ v }}¶EOF
python3 - <<EOF¶print(${{ v }})¶EOF
ssh host <<EOF¶ls ${{ v }}¶EOF
cat <<EOF¶$(eval ${{ v }})¶EOF
cat <<EOF¶$((${{ v }}))¶EOF
""".strip().split("\n")


@pytest.mark.parametrize("command", REFUSED)
def test_a_place_where_a_value_would_be_program_text_is_refused(command: str) -> None:
    command = command.replace("¶", "\n")
    found = compile_shell(command)
    assert found
    assert all(each.hint for each in found)
    with pytest.raises(ExpressionError):
        render_shell(command, {"v": "x"})


ALLOWED = """
ssh ${{ v }} uptime
ssh -i key ${{ v }} ls
jq --arg x ${{ v }} '.a == $x' f
awk '{print}' ${{ v }}
sed -n 1,5p ${{ v }}
sed -i.bak 1d ${{ v }}
git commit -m ${{ v }}
curl -d @- ${{ v }} <<EOF¶{"a": "../${{ v }}"}¶EOF
${{ v }} --version
echo hi > ${{ v }}
cat < ${{ v }} 2>&1 | tee "${{ v }}"
bash script.sh ${{ v }}
python3 x.py -c ${{ v }}
node app.js -e ${{ v }}
bash -s -- ${{ v }} <<'EOF'¶echo $1¶EOF
echo "{1..2} ${{ v }}"
claude -p "${{ v }}" --model x
docker run -e X=${{ v }} image
find . -name ${{ v }} -exec rm {} \\;
grep -e ${{ v }} f
sort -c ${{ v }}
tar -c ${{ v }}
test ${{ v }} -gt 3
echo $(( ${{ v | int }} + 1 ))
n=${{ v | int }}; for ((i=0;i<n;i++)); do echo $i; done
[[ ${{ v | int }} -gt 3 ]]
n=${{ v }}; m=3; echo $((m + 1))
[ ${{ v }} -gt 3 ]
f() ( echo ${{ v }} )
cat <<A <<B¶${{ v }}¶A¶${{ v }}¶B
x=$( (echo ${{ v }}) )
echo $# ${{ v }} $$ $? $!
printf '%s' "$'${{ v }}'"
if [[ -f ${{ v }} && ! -d "${{ v }}" ]]; then :; fi
while IFS= read -r x; do echo "$x ${{ v }}"; done < f
export A=${{ v }} B="${{ v }}"
case "$x" in a|b) echo ${{ v }};; esac
echo "it's ${{ v }}"
echo 'a' "b" ${{ v }} 'c'
""".strip().split("\n")


@pytest.mark.parametrize("command", ALLOWED)
def test_an_ordinary_command_is_not_refused(command: str) -> None:
    assert compile_shell(command.replace("¶", "\n")) == []


def test_a_command_without_expressions_is_left_alone() -> None:
    command = "echo '$((1))' $x \\\n | eval cat"
    assert render_shell(command, {}) == (command, {})


def test_the_same_expression_goes_in_once() -> None:
    script, values = render_shell("echo ${{ v }} ${{ v }} ${{ w }}", {"v": 1, "w": [1]})
    assert script == 'echo "${AGENTRUN_VALUE_1}" "${AGENTRUN_VALUE_1}" "${AGENTRUN_VALUE_2}"'
    assert values == {"AGENTRUN_VALUE_1": "1", "AGENTRUN_VALUE_2": "[1]"}


def test_a_comment_is_not_evaluated() -> None:
    assert render_shell("ls # ${{ nothing }}\n", {}) == ("ls # \n", {})


@pytest.mark.parametrize("value", ["x" * 131_072, "a\0b", "\ud800"])
def test_a_value_that_no_command_can_be_given_says_so(value: str) -> None:
    with pytest.raises(ValueTooLarge, match="stdin"):
        render_shell("echo ${{ v }}", {"v": value})


def test_the_largest_value_that_fits_reaches_a_program() -> None:
    value = "x" * (131_072 - len("AGENTRUN_VALUE_1=") - 1)
    script, values = render_shell("printf %s ${{ v }} | wc -c", {"v": value})
    done = subprocess.run(
        ["bash", "-c", script], env={**os.environ, **values}, capture_output=True, check=True
    )
    assert int(done.stdout) == len(value)


def test_many_large_values_are_too_large_together() -> None:
    names = [f"v{n}" for n in range(12)]
    command = "echo " + " ".join(f"${{{{ {name} }}}}" for name in names)
    with pytest.raises(ValueTooLarge, match="together"):
        render_shell(command, dict.fromkeys(names, "x" * 100_000))


def test_an_integer_may_stand_in_arithmetic(tmp_path: Path) -> None:
    script, values = render_shell("echo $(( ${{ v | int }} * 2 ))", {"v": "21"})
    done = subprocess.run(
        ["bash", "-c", script], env={**os.environ, **values}, capture_output=True, check=True
    )
    assert done.stdout == b"42\n"
