"""Whether the claims of a fixture's header hold in what was observed of its run.

Called by the proof's tests; pure functions over plain data, no framework and no process in here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fnmatch import fnmatchcase

from tests.fixture_files import Claim, ClaimKind
from tests.oracle.observation import Instance, Observation


def broken_claims(claims: tuple[Claim, ...], seen: Observation) -> list[str]:
    """What is wrong: one sentence for each claim that does not hold, and for an exception nobody claimed."""
    faults = [fault for claim in claims for fault in _faults_of(claim, claims, seen)]
    if seen.failure and not any(claim.kind is ClaimKind.RAISES for claim in claims):
        ending = f"the program ended with {_failure(seen)}, which no claim names"
        faults.append(f"{ending}\n{seen.failure.traceback}")
    return faults


def _faults_of(claim: Claim, claims: tuple[Claim, ...], seen: Observation) -> Iterator[str]:
    if claim.kind is ClaimKind.RAISES:
        if not _raised(claim, seen):
            yield f"'{claim}': {_failure(seen)}"
    elif claim.kind is ClaimKind.NEVER_STEPPED:
        if seen.steps or not seen.backwards:
            yield f"'{claim}': {seen.backwards} backward passes, {seen.steps} steps"
    elif seen.steps == 0:
        yield f"'{claim}': no optimizer step was seen ({_failure(seen)})"
    elif claim.kind is ClaimKind.NOTHING_MOVES:
        yield from _faults_of_nothing_moves(claim, seen)
    elif claim.kind is ClaimKind.GRADIENTS_PILE_UP:
        if not seen.piled_up:
            yield f"'{claim}': every step found fresh gradients"
    elif claim.kind is ClaimKind.STATE_LOST:
        if not seen.state_lost:
            yield f"'{claim}': no optimizer took over parameters without the state that another had for them"
    elif claim.kind is ClaimKind.CLIPPED_IN_VAIN:
        if seen.clip_used:
            yield f"'{claim}': a step used a gradient as clipping had left it"
    elif claim.kind is ClaimKind.BATCHES_LOST:
        if not seen.batches_lost:
            yield f"'{claim}': every step used as many backward passes as there were forward passes"
    elif claim.kind is ClaimKind.STEPS_IN:
        if claim.subject not in seen.places:
            yield f"'{claim}': steps were taken in {', '.join(sorted(set(seen.places)))}"
    elif claim.kind is ClaimKind.RATES:
        claimed = [float(word) for word in claim.subject.split()]
        found = seen.rates[: len(claimed)]
        if len(found) < len(claimed) or not all(map(_is_near, found, claimed)):
            yield f"'{claim}': the rates were {' '.join(f'{rate:.4g}' for rate in seen.rates)}"
    elif claim.kind is ClaimKind.GRADIENTS:
        yield from _faults_of_gradients(claim, seen)
    elif claim.kind is ClaimKind.TRAINS:
        yield from _faults_of_trains(claims, seen)
    else:
        yield from _faults_of_path(claim, seen)


def _is_near(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=5e-3, abs_tol=1e-9)


def _faults_of_gradients(claim: Claim, seen: Observation) -> Iterator[str]:
    """Above: at some step; below: at every step."""
    word, _, number = claim.subject.partition(" ")
    largest, limit = max(seen.gradients), float(number)
    if largest <= limit if word == "above" else largest >= limit:
        yield f"'{claim}': the largest was {largest:.4g}"


def _raised(claim: Claim, seen: Observation) -> bool:
    failure = seen.failure
    return failure is not None and failure.type == claim.subject and claim.text in failure.message


def _failure(seen: Observation) -> str:
    if seen.failure is None:
        return "it ran to its end"
    return f"{seen.failure.type}: {seen.failure.message.splitlines()[0] if seen.failure.message else ''}"


def _faults_of_nothing_moves(claim: Claim, seen: Observation) -> Iterator[str]:
    parameters = [index for index, tensor in enumerate(seen.tensors) if tensor.parameter]
    if not parameters:
        yield f"'{claim}': no module with parameters took part"
    for index in parameters:
        if seen.tensors[index].moved:
            yield f"'{claim}': {seen.name_of(index)} moved"


def _faults_of_trains(claims: tuple[Claim, ...], seen: Observation) -> Iterator[str]:
    exempt = {
        index
        for claim in claims
        if claim.kind is ClaimKind.STILL
        for instance in seen.instances
        for index in _matches(claim.subject, instance)
    }
    due = [index for index, tensor in enumerate(seen.tensors) if tensor.due and index not in exempt]
    if not due:
        yield "'trains': nothing took part that could train"
    for index in due:
        if not seen.tensors[index].moved:
            yield f"'trains': {seen.name_of(index)} did not move"


def _faults_of_path(claim: Claim, seen: Observation) -> Iterator[str]:
    """A path claim holds when one instance that took part has it for everything that the path matches."""
    cls = claim.subject.partition(".")[0]
    instances = [instance for instance in seen.instances if instance.cls == cls]
    taking_part = [instance for instance in instances if instance.took_part]
    matched = [found for instance in taking_part if (found := _matches(claim.subject, instance))]
    if not instances:
        known = ", ".join(sorted({instance.cls for instance in seen.instances}))
        yield f"'{claim}': no instance of {cls} was made (seen: {known})"
    elif not taking_part:
        yield f"'{claim}': no instance of {cls} took part in training"
    elif claim.kind is ClaimKind.SHARED:
        if not any(len(found) > 1 and len(set(found)) == 1 for found in matched):
            yield f"'{claim}': no instance has one tensor in several of these places"
    elif not matched:
        paths = ", ".join(sorted(taking_part[0].tensors))
        yield f"'{claim}': no tensor there (paths: {paths})"
    elif not any(all(_holds(claim.kind, index, seen) for index in found) for found in matched):
        index = next(index for index in matched[0] if not _holds(claim.kind, index, seen))
        tensor = seen.tensors[index]
        moved = "moved" if tensor.moved else "did not move"
        graded = "had gradient" if tensor.graded else "had no gradient"
        yield f"'{claim}': {seen.name_of(index)} {moved}, {graded}"


def _matches(subject: str, instance: Instance) -> list[int]:
    cls, _, pattern = subject.partition(".")
    if instance.cls != cls:
        return []
    return [index for path, index in instance.tensors.items() if fnmatchcase(path, pattern)]


def _holds(kind: ClaimKind, index: int, seen: Observation) -> bool:
    tensor = seen.tensors[index]
    if kind is ClaimKind.STILL:
        return not tensor.moved
    if kind is ClaimKind.NO_GRAD:
        return not tensor.graded
    return tensor.moved
