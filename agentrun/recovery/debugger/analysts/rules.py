"""Asks the playbooks: what the evidence of the failure itself proves, the surest first."""

from collections.abc import Callable, Iterator

from agentrun.recovery.debugger.analysts.playbooks import (
    dates,
    environment,
    parameters,
    upstream,
    work,
)
from agentrun.recovery.debugger.diagnosis import Diagnosis
from agentrun.recovery.debugger.incident import Incident

PLAYBOOKS: tuple[Callable[[Incident], Diagnosis | None], ...] = (
    environment.declared_remedy,
    environment.unset_variable,
    environment.variable_of_another_step,
    environment.port_in_use,
    environment.locale,
    environment.terminal,
    parameters.missing_file,
    parameters.wrong_choice,
    dates.iso_wanted,
    environment.encoding,
    parameters.number_as_text,
    parameters.truth_as_text,
    parameters.separator,
    parameters.time_limit,
    work.broken_answer,
    work.failed_check_of_an_agent,
    environment.memory_pressure,
    upstream.invisible_characters,
    upstream.missing_key,
    upstream.bad_value,
    upstream.empty_output,
    upstream.malformed_input,
    work.not_yet,
    work.came_and_went,
)


def analyse(incident: Incident) -> Iterator[Diagnosis]:
    """Yield what the playbooks say. Equally sure ones keep the order of the list."""
    found = [said for playbook in PLAYBOOKS if (said := playbook(incident)) is not None]
    yield from sorted(found, key=lambda diagnosis: -diagnosis.confidence)
