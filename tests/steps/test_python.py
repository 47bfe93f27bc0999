"""Functions as steps, in this process and in a worker."""

import asyncio
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agentrun.core.failure import Evidence
from agentrun.core.outcome import Success
from agentrun.steps.log import FileLog
from agentrun.steps.proc_table import Target, find
from agentrun.steps.python import KIND

pytestmark = pytest.mark.anyio
Eventually = Callable[[Callable[[], bool]], Awaitable[None]]

both = pytest.mark.parametrize("isolated", [False, True], ids=["here", "worker"])


@pytest.fixture
def call(make_ctx: Any, tmp_path: Path) -> Any:
    """Perform a step that calls `f` of the given code."""

    async def perform(code: str, *, name: str = "f", **given: Any) -> Success | Evidence:
        (tmp_path / "code.py").write_text(textwrap.dedent(code))
        return await KIND.execute(make_ctx(target=f"code.py:{name}", **given))

    return perform


def output(outcome: Success | Evidence) -> Any:
    assert isinstance(outcome, Success), outcome
    return outcome.output


def evidence(outcome: Success | Evidence) -> Evidence:
    assert isinstance(outcome, Evidence), outcome
    return outcome


@both
async def test_keywords_in_and_value_out(call: Any, isolated: bool) -> None:
    code = "def f(a, b=2, *, c): return {'sum': a + b + c, 'big': 10**40, 'text': 'é\\ud800'}"
    got = output(await call(code, with_={"a": 1, "c": 3}, isolated=isolated))
    assert got == {"sum": 6, "big": 10**40, "text": "é\ud800"}


@both
async def test_async_functions(call: Any, isolated: bool) -> None:
    code = """
        import asyncio
        async def f():
            print("before")
            await asyncio.sleep(0)
            return "done"
    """
    assert output(await call(code, isolated=isolated)) == "done"


@both
async def test_what_it_prints_goes_to_the_log(
    call: Any, log: FileLog, isolated: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    code = """
        import sys
        def f():
            print("out é")
            print("err", file=sys.stderr)
            sys.stdout.buffer.write(b"bytes\\n")
            sys.stdout.flush()
            return 1
    """
    assert output(await call(code, isolated=isolated)) == 1
    assert sorted(log.tail().splitlines()) == ["bytes", "err", "out é"]
    assert capfd.readouterr() == ("", "")


async def test_what_a_worker_prints_is_in_the_log_when_it_is_printed(
    call: Any, log: FileLog, eventually: Eventually, tmp_path: Path
) -> None:
    code = f"""
        import os, time
        def f():
            print("now")
            while not os.path.exists({str(tmp_path / "seen")!r}): time.sleep(0.01)
    """
    task = asyncio.ensure_future(call(code, isolated=True))
    await eventually(lambda: "now" in log.tail())
    (tmp_path / "seen").touch()
    assert output(await task) is None


async def test_steps_side_by_side_print_into_their_own_logs(make_ctx: Any, tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text(
        "import asyncio, time\n"
        "def s(n):\n  for _ in range(5): print(n); time.sleep(0.002)\n"
        "async def a(n):\n  for _ in range(5): print(n); await asyncio.sleep(0.002)\n"
    )
    ctxs = [
        msgspec.structs.replace(
            make_ctx(target=f"code.py:{'sa'[n % 2]}", with_={"n": n}),
            log=FileLog(tmp_path / f"{n}.log"),
        )
        for n in range(10)
    ]
    before = sys.stdout
    await asyncio.gather(*(asyncio.ensure_future(KIND.execute(ctx)) for ctx in ctxs))
    assert sys.stdout is before
    assert [ctx.log.tail() for ctx in ctxs] == [f"{n}\n" * 5 for n in range(10)]


async def test_a_thread_that_a_function_starts_never_prints_to_stdout(
    call: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    code = """
        import threading
        def f():
            t = threading.Thread(target=print, args=("astray",))
            t.start()
            t.join()
    """
    await call(code)
    out, err = capfd.readouterr()
    assert (out, err) == ("", "astray\n")


def test_stdout_can_be_kept_for_results(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        "import os, subprocess, sys\n"
        "from agentrun.steps.streams import stdout_for_results\n"
        "print('before')\n"
        "with stdout_for_results():\n"
        "    subprocess.run(['echo', 'astray'])\n"
        "    os.write(1, b'raw\\n')\n"
        "    print('result')\n"
        "print('after')\n"
        "subprocess.run(['echo', 'end'])\n"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, str(tmp_path / "main.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    assert done.stdout == "before\nresult\nafter\nend\n"
    assert done.stderr == "astray\nraw\n"


@both
@pytest.mark.parametrize(
    ("code", "exception", "text"),
    [
        ("def f(): 1 / 0", "ZeroDivisionError", "division by zero"),
        ("def f(): import no_such_module_here", "ModuleNotFoundError", "no_such_module_here"),
        ("def f(): raise KeyboardInterrupt", "KeyboardInterrupt", "KeyboardInterrupt"),
        ("def f(): return f()", "RecursionError", "maximum recursion depth"),
        ("def f(a): pass", "TypeError", "missing 1 required positional argument: 'a'"),
        ("def f(:", "SyntaxError", "code.py"),
        ("f = 3", "TypeError", "code.py:f is not a function but of type int"),
        ("def g(): pass", "AttributeError", "code.py has no function 'f'"),
        ("async def f(): raise GeneratorExit", "GeneratorExit", "GeneratorExit"),
        ("def f(): yield 1", "BadOutput", "generator has no JSON form; return a list"),
        ("def f(): return {'a': [float('nan')]}", "BadOutput", "$.a[0]: nan is not JSON"),
    ],
)
async def test_whatever_it_raises_is_evidence(
    call: Any, log: FileLog, isolated: bool, code: str, exception: str, text: str
) -> None:
    found = evidence(await call(code, isolated=isolated))
    assert (found.channel, found.exception) == ("python", exception)
    assert text in found.text
    assert text in log.tail(100_000)
    assert "agentrun/steps" not in found.text


@both
async def test_sys_exit_ends_the_attempt_alone(call: Any, isolated: bool) -> None:
    for code in ("def f(): import sys; sys.exit(3)", "async def f(): import sys; sys.exit(3)"):
        found = evidence(await call(code, isolated=isolated))
        assert (found.exception, found.exit_code) == ("SystemExit", 3)


@both
@pytest.mark.parametrize("end", ["return 'child'", "sys.exit(7)", "1 / 0"])
@pytest.mark.parametrize("head", ["def", "async def"])
async def test_a_forked_process_does_not_go_on_as_agentrun(
    call: Any, isolated: bool, end: str, head: str
) -> None:
    code = f"""
        import os, sys
        {head} f():
            child = os.fork()
            if not child:
                {end}
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    """
    expected = {"return 'child'": 0, "sys.exit(7)": 7, "1 / 0": 1}
    assert output(await call(code, isolated=isolated)) == expected[end]


@both
async def test_a_cancellation_of_its_own_is_evidence(call: Any, isolated: bool) -> None:
    code = "import asyncio\nasync def f(): raise asyncio.CancelledError"
    found = evidence(await call(code, isolated=isolated))
    assert found.exception == "asyncio.exceptions.CancelledError"


@both
async def test_ancestry_causes_and_status(call: Any, isolated: bool) -> None:
    code = """
        class Refused(ConnectionError):
            status_code = 503
        def f():
            try:
                {}["x"]
            except KeyError as error:
                raise Refused("no") from error
    """
    found = evidence(await call(code, isolated=isolated))
    assert found.exception is not None
    assert found.exception.endswith(".Refused")
    assert found.mro[1:3] == ("ConnectionError", "OSError")
    assert found.causes == ("KeyError",)
    assert found.status == 503


async def test_all_members_of_a_group_are_causes(call: Any) -> None:
    code = """
        def f():
            try:
                raise TimeoutError
            except TimeoutError:
                raise ExceptionGroup("both", [ConnectionResetError(), ValueError()])
    """
    found = evidence(await call(code))
    assert found.exception == "ExceptionGroup"
    assert set(found.causes) == {"ConnectionResetError", "ValueError", "TimeoutError"}


async def test_with_must_be_a_map(call: Any) -> None:
    found = evidence(await call("def f(): pass", with_=[1]))
    assert "`with` must be a map of keywords, not list" in found.text


@pytest.mark.parametrize("target", ["f", ":f", "code.py:", "code.py"])
async def test_a_target_that_names_no_function(make_ctx: Any, target: str) -> None:
    found = evidence(await KIND.execute(make_ctx(target=target)))
    assert "is neither `module:function` nor `file.py:function`" in found.text


async def test_a_near_name_is_offered(call: Any) -> None:
    found = evidence(await call("def write_report(): pass", name="write_reprot"))
    assert "did you mean 'write_report'?" in found.text


async def test_modules_beside_the_workflow(make_ctx: Any, tmp_path: Path) -> None:
    (tmp_path / "beside_one").mkdir()
    (tmp_path / "beside_one" / "__init__.py").write_text("from beside_two import f")
    (tmp_path / "beside_two.py").write_text("def f(): return 'found'")
    for isolated in (False, True):
        ctx = make_ctx(target="beside_one:f", isolated=isolated)
        assert output(await KIND.execute(ctx)) == "found"


async def test_a_file_named_like_a_standard_module_breaks_nothing(
    make_ctx: Any, tmp_path: Path
) -> None:
    (tmp_path / "colorsys.py").write_text("raise RuntimeError('imported by accident')")
    (tmp_path / "code.py").write_text("def f():\n  import colorsys; return colorsys.__name__")
    for isolated in (False, True):
        ctx = make_ctx(target="code.py:f", isolated=isolated)
        assert output(await KIND.execute(ctx)) == "colorsys"


async def test_the_same_module_name_in_two_folders(make_ctx: Any, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same_name.py").write_text(f"def f(): return {folder!r}")
    first = make_ctx(target="same_name:f", base_dir=tmp_path / "one")
    assert output(await KIND.execute(first)) == "one"
    second = make_ctx(target="same_name:f", base_dir=tmp_path / "two")
    assert "another module of that name is in use" in evidence(await KIND.execute(second)).text
    as_file = make_ctx(target="same_name.py:f", base_dir=tmp_path / "two")
    assert output(await KIND.execute(as_file)) == "two"


async def test_a_file_is_loaded_once_until_it_changes(make_ctx: Any, tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    path.write_text("calls = []\ndef f(): calls.append(1); return len(calls)")
    ctx = make_ctx(target="code.py:f")
    assert [output(await KIND.execute(ctx)) for _ in range(2)] == [1, 2]
    path.write_text("def f(): return 'new'")
    os.utime(path, ns=(1, 1))
    assert output(await KIND.execute(ctx)) == "new"


async def test_a_sync_function_does_not_hold_the_loop_up(call: Any) -> None:
    waits_for, go_on = os.pipe()
    code = "import select\ndef f(fd): return select.select([fd], [], [], 60)[0]"
    task = asyncio.ensure_future(call(code, with_={"fd": waits_for}))
    await asyncio.sleep(0)
    os.close(go_on)  # by the loop, while the function waits for just that
    assert output(await task) == [waits_for]
    os.close(waits_for)


async def test_a_cancelled_async_function_is_cancelled(
    call: Any, log: FileLog, eventually: Eventually
) -> None:
    code = """
        import asyncio
        async def f():
            try:
                print("begun")
                await asyncio.sleep(300)
            finally:
                print("cleaned")
    """
    task = asyncio.ensure_future(call(code))
    await eventually(lambda: "begun" in log.tail())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "cleaned" in log.tail()


async def test_a_cancelled_sync_function_is_not_waited_for(
    call: Any, log: FileLog, eventually: Eventually
) -> None:
    waits_for, go_on = os.pipe()
    code = "import os\ndef f(fd): print('begun'); os.read(fd, 1)"
    task = asyncio.ensure_future(call(code, with_={"fd": waits_for}))
    await eventually(lambda: "begun" in log.tail())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 60)
    os.close(go_on)


async def test_a_worker_runs_where_and_with_what_the_step_says(
    call: Any, make_ctx: Any, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    code = "import os\ndef f(): return [os.getcwd(), os.environ['X'], os.getpid()]"
    env = {**os.environ, "X": "y"}
    cwd, x, pid = output(await call(code, isolated=True, cwd=tmp_path / "elsewhere", env=env))
    assert (cwd, x) == (str(tmp_path / "elsewhere"), "y")
    assert pid != os.getpid()


async def test_a_cancelled_worker_ends_with_all_it_started(
    call: Any, make_ctx: Any, log: FileLog, eventually: Eventually
) -> None:
    code = """
        import subprocess, time
        def f():
            subprocess.Popen(["sleep", "300"])
            print("started")
            time.sleep(300)
    """
    task = asyncio.ensure_future(call(code, isolated=True))
    await eventually(lambda: "started" in log.tail())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert find(Target(marks=make_ctx().own_env)) == ()


@pytest.mark.parametrize(
    ("code", "exit_code", "signal"),
    [
        ("os._exit(0)", 0, None),
        ("os._exit(7)", 7, None),
        ("os.kill(os.getpid(), 9)", 137, "SIGKILL"),
    ],
)
async def test_a_worker_that_dies_before_it_answers(
    call: Any, code: str, exit_code: int, signal: str | None
) -> None:
    found = evidence(await call(f"import os\ndef f(): {code}", isolated=True))
    assert (found.channel, found.exit_code, found.signal) == ("subprocess", exit_code, signal)
    assert "ended before the function returned" in found.text


async def test_a_worker_does_not_import_what_lies_in_its_folder(call: Any, tmp_path: Path) -> None:
    for name in ("json", "msgspec", "agentrun"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('imported by accident')")
    assert output(await call("def f(): return 1", isolated=True)) == 1


async def test_large_values_cross(call: Any) -> None:
    text = "x" * 3_000_000
    assert (
        output(await call("def f(text): return text", isolated=True, with_={"text": text})) == text
    )


async def test_agentrun_ends_while_a_function_hangs(tmp_path: Path) -> None:
    (tmp_path / "hangs.py").write_text(
        "import asyncio, time\n"
        "from agentrun.steps.threads import THREADS\n"
        "async def main():\n"
        "    try:\n"
        "        await asyncio.wait_for(THREADS.call(lambda: time.sleep(300)), 0.05)\n"
        "    except TimeoutError:\n"
        "        print('ended')\n"
        "asyncio.run(main())\n"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(tmp_path / "hangs.py"), stdout=asyncio.subprocess.PIPE, env=env
    )
    out, _ = await asyncio.wait_for(process.communicate(), 20)
    assert out == b"ended\n"


async def test_a_job_survives_json(call: Any) -> None:
    value = {"a": [1, 2.5, None, True, "x\ud800"]}
    got = output(await call("def f(v): return v", isolated=True, with_={"v": value}))
    assert got == value == json.loads(json.dumps(value))
