"""The same work with other tools, each as its own documentation does it, one process a run.

    python peers.py PEER chain N | shell N | payload N BYTES

Each step is durable in the way the tool offers for one machine: LangGraph with its SQLite saver
(durability sync), DBOS with SQLite, burr with its SQLite persister, doit with a task and a
dependency per step, Prefect with persisted results of tasks, luigi with a target file per task.
"""

import os
import subprocess
import sys
from collections.abc import Iterator


def act(work: str, number: int, text: str, grows: int) -> str:
    """Do the work of one step."""
    if work == "shell":
        return subprocess.run(
            ["bash", "-c", "true"], capture_output=True, check=True
        ).stdout.decode()
    return text + "x" * grows if work == "payload" else str(number)


def langgraph(work: str, count: int, grows: int) -> None:
    from typing import TypedDict

    from langgraph.checkpoint.sqlite import SqliteSaver
    from langgraph.graph import END, START, StateGraph

    class State(TypedDict):
        number: int
        text: str

    def step(state: State) -> State:
        text = act(work, state["number"], state["text"], grows)
        return {"number": state["number"] + 1, "text": text}

    graph = StateGraph(State)
    graph.add_node("step", step)
    graph.add_edge(START, "step")
    graph.add_conditional_edges("step", lambda s: "step" if s["number"] < count else END)
    with SqliteSaver.from_conn_string("langgraph.db") as saver:
        compiled = graph.compile(checkpointer=saver)
        config = {"configurable": {"thread_id": "1"}, "recursion_limit": count + 10}
        compiled.invoke({"number": 0, "text": ""}, config, durability="sync")


def dbos(work: str, count: int, grows: int) -> None:
    from dbos import DBOS

    DBOS(
        config={
            "name": "bench",
            "system_database_url": "sqlite:///dbos.sqlite",
            "log_level": "ERROR",
            "run_admin_server": False,
        }
    )

    @DBOS.step()
    def step(number: int, text: str) -> str:
        return act(work, number, text, grows)

    @DBOS.workflow()
    def flow() -> str:
        text = ""
        for number in range(count):
            text = step(number, text)
        return text

    DBOS.launch()
    flow()
    DBOS.destroy()


def burr(work: str, count: int, grows: int) -> None:
    from burr.core import ApplicationBuilder, State, action, expr
    from burr.core.persistence import SQLLitePersister

    @action(reads=["number", "text"], writes=["number", "text"])
    def step(state: State) -> State:
        text = act(work, state["number"], state["text"], grows)
        return state.update(number=state["number"] + 1, text=text)

    @action(reads=["number"], writes=[])
    def done(state: State) -> State:
        return state

    saver = SQLLitePersister(db_path="burr.db")
    saver.initialize()
    application = (
        ApplicationBuilder()
        .with_actions(step=step, done=done)
        .with_transitions(("step", "step", expr(f"number < {count}")), ("step", "done"))
        .with_state(number=0, text="")
        .with_entrypoint("step")
        .with_identifiers(app_id="1")
        .with_state_persister(saver)
        .build()
    )
    application.run(halt_after=["done"])


def doit(work: str, count: int, grows: int) -> None:
    from doit.cmd_base import ModuleTaskLoader
    from doit.doit_cmd import DoitMain

    def write(number: int) -> None:
        text = ""
        if work == "payload" and number:
            with open(f"{number - 1}.txt") as before:
                text = before.read()
        with open(f"{number}.txt", "w") as file:
            file.write(act(work, number, text, grows))

    def task_step() -> Iterator[dict[str, object]]:
        for number in range(count):
            yield {
                "name": str(number),
                "actions": [(write, [number])],
                "file_dep": [f"{number - 1}.txt"] if number else [],
                "targets": [f"{number}.txt"],
                "verbosity": 0,
            }

    sys.setrecursionlimit(100_000)
    ended = DoitMain(ModuleTaskLoader({"task_step": task_step})).run(["-o", os.devnull])
    assert ended == 0


def luigi(work: str, count: int, grows: int) -> None:
    import luigi as tool

    class Step(tool.Task):  # type: ignore[misc, name-defined]
        number = tool.IntParameter()

        def requires(self) -> object:
            return Step(number=self.number - 1) if self.number else []

        def output(self) -> object:
            return tool.LocalTarget(f"{self.number}.txt")

        def run(self) -> None:
            text = ""
            if work == "payload" and self.number:
                with self.input().open() as before:
                    text = before.read()
            with self.output().open("w") as file:
                file.write(act(work, self.number, text, grows))

    sys.setrecursionlimit(100_000)
    assert tool.build([Step(number=count - 1)], local_scheduler=True, log_level="ERROR")


def prefect(work: str, count: int, grows: int) -> None:
    import logging

    from prefect import flow, task

    logging.disable(logging.CRITICAL)

    @task(persist_result=True)
    def step(number: int, text: str) -> str:
        return act(work, number, text, grows)

    @flow
    def whole() -> None:
        text = ""
        for number in range(count):
            text = step(number, text)

    whole()


PEERS = {
    "langgraph": ("langgraph", "langgraph-checkpoint-sqlite"),
    "dbos": ("dbos",),
    "burr": ("burr",),
    "doit": ("doit",),
    "luigi": ("luigi",),
    "prefect": ("prefect", "fastapi==0.139.*"),  # 0.165 it does not start with
}
"""The peers, and the packages that they need."""

if __name__ == "__main__":
    name, work, *numbers = sys.argv[1:]
    count, grows = (*map(int, numbers), 0)[:2]
    globals()[name](work, count, grows)
