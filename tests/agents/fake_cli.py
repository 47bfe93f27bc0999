"""A program on the PATH that plays recorded output of a real CLI, and remembers how it was called."""

import shlex
from dataclasses import dataclass
from pathlib import Path

RECORDINGS = Path(__file__).parent / "recordings"


@dataclass(frozen=True)
class Call:
    args: list[str]
    stdin: str
    env: dict[str, str]


class FakeCli:
    """Plays one recording per call, in order; the last one again when they are used up."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder / f"fake-{name}"
        self._folder.mkdir()
        self.bin = folder / "bin"
        self.bin.mkdir(exist_ok=True)
        self._plays = 0
        program = self.bin / name
        program.write_text(
            f"""#!/bin/bash
d={shlex.quote(str(self._folder))}
n=$(( $(cat "$d/n" 2>/dev/null || echo 0) + 1 )); echo "$n" > "$d/n"
printf '%s\\0' "$@" > "$d/$n.args"; env -0 > "$d/$n.env"; cat > "$d/$n.stdin"
while [ ! -e "$d/play.$n" ]; do n=$((n - 1)); done
. "$d/play.$n"
"""
        )
        program.chmod(0o755)

    def plays(self, *recordings: str) -> "FakeCli":
        """Play these recordings next, one per call."""
        for name in recordings:
            out, err, code = recorded(name)
            self.prints(out, err, code)
        return self

    def prints(self, out: str, err: str = "", code: int = 0, then: str = "") -> "FakeCli":
        self._plays += 1
        script = (
            f"printf %s {shlex.quote(out)}; printf %s {shlex.quote(err)} >&2; {then}\nexit {code}\n"
        )
        (self._folder / f"play.{self._plays}").write_text(script)
        return self

    @property
    def calls(self) -> list[Call]:
        found = []
        for number in range(1, 100):
            args = self._folder / f"{number}.args"
            if not args.exists():
                break
            env = (self._folder / f"{number}.env").read_text().split("\0")
            found.append(
                Call(
                    args.read_text().split("\0")[:-1],
                    (self._folder / f"{number}.stdin").read_text(),
                    dict(pair.split("=", 1) for pair in env if "=" in pair),
                )
            )
        return found


def recorded(name: str) -> tuple[str, str, int]:
    """Return stdout, stderr and exit code of a recording."""
    lines = (RECORDINGS / f"{name}.txt").read_text("utf-8").splitlines()
    out = "".join(f"{line[4:]}\n" for line in lines if line.startswith("out "))
    err = "".join(f"{line[4:]}\n" for line in lines if line.startswith("err "))
    return out, err, int(lines[-1].removeprefix("exit "))
