"""The options that a user gave, as words: what a job is told, and what tells one campaign from another."""

from __future__ import annotations

from collections.abc import Mapping

import click
from click.core import ParameterSource

__all__ = ["asked_for", "job_options"]

# Of `run` and `jobs`: who takes part, and how a campaign is spread. A job has its own.
_CAMPAIGN = {
    "teams",
    "model_ids",
    "everything",
    "resume",
    "as_json",
    "engine",
    "engine_options",
    "jobs",
    "fleet",
    "cancel",
    "help",
}
_PLACES = {"results", "key", "save_images"}  # change nothing of what is measured


def job_options(context: click.Context, **instead: str) -> list[str]:
    """Return the options with which a job evaluates as the user asked for.

    Args:
        context: Of `run` or `jobs`.
        **instead: Values of parameters, for those that the user did not give.
    """
    return _words(context, _CAMPAIGN, instead)


def asked_for(context: click.Context, **instead: str) -> str:
    """Return what was asked for as one text, the same for a campaign and for each of its jobs."""
    return " ".join(_words(context, _CAMPAIGN | _PLACES, instead))


def _words(context: click.Context, without: set[str], instead: Mapping[str, str]) -> list[str]:
    words: list[str] = []
    for parameter in context.command.params:
        name = parameter.name or ""
        if name in without or not isinstance(parameter, click.Option):
            continue
        given = context.get_parameter_source(name) is not ParameterSource.DEFAULT
        if not given and name not in instead:
            continue
        value = context.params.get(name) if given else instead[name]
        option = max(parameter.opts, key=len)
        if parameter.is_flag:
            words += [option] if value else []
        else:
            for one in value if isinstance(value, tuple) else (value,):
                words += [option, str(one)]
    return words
