"""The stateful test: hypothesis makes stories of a world with faults, and every promise is held at every step."""

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from padlock.storage import stamp

from tests.soak import invariants
from tests.soak.faults import KINDS, OTHERS, Actor, Fault
from tests.soak.truth import PROBLEMS
from tests.soak.world import LONG, SHORT, World

NAMES = ("a.example", "b.example", "c.example", "d.example")
TICK = 300.0
FLAPPING = 3900.0
"""Seconds after which a site that flapped has settled."""

names = st.integers(0, 3)
calls = st.one_of(st.integers(0, 3), st.integers(0, 14))
"""A run that changes nothing makes two calls, one that does four, and notify many."""
faults = st.builds(Fault, at=calls, kind=st.sampled_from(KINDS), other=st.sampled_from(OTHERS))
plans = st.one_of(st.just(()), st.tuples(faults), st.tuples(faults, faults))
skews = st.sampled_from((0.0, 0.0, 0.0, 600.0, -600.0))
places = st.integers(0, 63)


class Alerts(RuleBasedStateMachine):
    """The whole path, from the schedule to the mailbox."""

    world: World
    """Set once for each process: the same for all stories, emptied before each."""

    def __init__(self) -> None:
        super().__init__()
        self.world.reset()

    @initialize(
        count=st.integers(3, 4),
        failures=st.lists(st.sampled_from((1, 2, 2, 3)), min_size=4, max_size=4),
        successes=st.lists(st.sampled_from((1, 2, 2, 3)), min_size=4, max_size=4),
    )
    def declare(self, count: int, failures: list[int], successes: list[int]) -> None:
        """Declare the sites, each with thresholds of its own."""
        self.all = NAMES[:count]
        for name, bad, good in zip(self.all, failures, successes, strict=False):
            self.world.declare(name, thresholds={"failures": bad, "successes": good})

    def _declared(self, number: int) -> str | None:
        names = sorted(self.world.declared)
        return names[number % len(names)] if names else None

    def _actor(self, plan: tuple[Fault, ...] = (), skew: float = 0.0) -> Actor:
        return Actor(self.world, plan, skew)

    # What AWS does.

    @rule(plan=plans)
    def tick(self, plan: tuple[Fault, ...]) -> None:
        """Let the schedule fire; where dispatch fails, the tick comes again later."""
        self.world.clock.sleep(TICK)
        at = self.world.clock.truth()
        if not self.world.tick(at, self._actor(plan)):
            self.world.ticks.append(at)

    @rule(which=places, plan=plans)
    def tick_again(self, which: int, plan: tuple[Fault, ...]) -> None:
        """Let a tick come again, whether or not it was worked on."""
        if self.world.ticks:
            at = self.world.ticks[which % len(self.world.ticks)]
            if self.world.tick(at, self._actor(plan)):
                self.world.ticks.remove(at)

    @rule(plans=st.lists(plans, min_size=4, max_size=4), skew=skews)
    def round(self, plans: list[tuple[Fault, ...]], skew: float) -> None:
        """Play a tick, and all that follows it at once."""
        self.tick(())
        for number, message in enumerate(list(self.world.queue)):
            self._work(message, self._actor(plans[number % 4], skew))
        self._stream(self._actor(plans[0], skew))

    @rule(which=places, plan=plans, skew=skews, seconds=st.sampled_from((LONG, LONG, SHORT)), again=st.booleans())
    def work(self, which: int, plan: tuple[Fault, ...], skew: float, seconds: float, *, again: bool) -> None:
        """Hand over a message, out of order; it may stay in the queue though it was worked on."""
        if self.world.queue:
            message = self.world.queue[which % len(self.world.queue)]
            self._work(message, self._actor(plan, skew), seconds, again=again and which % 4 == 0)

    @rule(which=places, plan=plans, skew=skews)
    def work_more(self, which: int, plan: tuple[Fault, ...], skew: float) -> None:
        """Hand over some messages, the newest first."""
        for message in list(reversed(self.world.queue))[: 1 + which % 4]:
            self._work(message, self._actor(plan, skew))

    def _work(self, message: Any, actor: Actor, seconds: float = LONG, *, again: bool = False) -> None:
        ended = self.world.work(message, actor, seconds)
        if message.receives >= 5 or (ended and not again):
            self.world.queue = [each for each in self.world.queue if each is not message]

    @rule(plan=plans, skew=skews)
    def stream(self, plan: tuple[Fault, ...], skew: float) -> None:
        """Let the stream hand over the alerts' records."""
        self._stream(self._actor(plan, skew))

    def _stream(self, actor: Actor) -> None:
        while self.world.inserts and not actor.dead:
            site = self.world.inserts.pop(0)
            if not self.world.deliver(site, actor):
                self.world.inserts.append(site)
                return

    @rule(which=places, plan=plans, skew=skews)
    def stream_out_of_order(self, which: int, plan: tuple[Fault, ...], skew: float) -> None:
        """Hand over one record before those before it; it will come again."""
        if self.world.inserts:
            self.world.deliver(self.world.inserts[which % len(self.world.inserts)], self._actor(plan, skew))

    @rule()
    def drop_stream(self) -> None:
        """Let the stream lose what it has: its records grow old before notify takes them."""
        self.world.inserts.clear()

    @rule(plan=plans, skew=skews)
    def sweep(self, plan: tuple[Fault, ...], skew: float) -> None:
        """Let the sweeper's schedule fire."""
        self.world.sweep(self._actor(plan, skew))

    @rule(plan=plans)
    def remove(self, plan: tuple[Fault, ...]) -> None:
        """Let the declarations' stream hand over what was removed."""
        if self.world.removals and self.world.remove(list(self.world.removals), self._actor(plan)):
            self.world.removals.clear()

    @rule(seconds=st.sampled_from((30.0, 100.0, 700.0, 700.0, FLAPPING, 90000.0)))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.world.clock.sleep(seconds)

    # What happens to sites.

    @rule(number=names, code=st.sampled_from(sorted(PROBLEMS)), worse=st.booleans())
    def break_or_mend(self, number: int, code: str, *, worse: bool) -> None:
        """Let a problem come, change or go."""
        problems = self.world.truths[self.all[number % len(self.all)]].problems
        severity = "error" if worse and code == "certificate.expires_soon" else PROBLEMS[code]
        if problems.get(code) == severity:
            del problems[code]
        else:
            problems[code] = severity

    @rule(number=names)
    def go_down(self, number: int) -> None:
        """Take a site down, or up again."""
        self.break_or_mend(number, "http.server_error", worse=True)

    @rule(number=names, blips=st.just(1))
    def blip(self, number: int, blips: int) -> None:
        """Let the next look see what is gone at the one after it."""
        self.world.truths[self.all[number % len(self.all)]].blips = blips

    @rule(number=names, code=st.sampled_from(sorted(PROBLEMS)))
    def hide(self, number: int, code: str) -> None:
        """Let a code of a site not be assessed for a time."""
        self.world.truths[self.all[number % len(self.all)]].hidden ^= {code}

    @rule(number=names)
    def blind(self, number: int) -> None:
        """Hide a site, or show it again."""
        truth = self.world.truths[self.all[number % len(self.all)]]
        truth.visible = not truth.visible

    @rule()
    def lose_network(self) -> None:
        """Take the checker's network away, or give it back."""
        self.world.unreached = not self.world.unreached

    @rule()
    def lose_sight(self) -> None:
        """Let no look of the checker come to a result any more, or let them again."""
        self.world.sightless = not self.world.sightless

    # What their owner does.

    @rule(number=names, prompt=st.booleans())
    def withdraw(self, number: int, *, prompt: bool) -> None:
        """Declare a site no longer."""
        if site := self._declared(number):
            self.world.withdraw(site)
            if prompt:
                self.remove(())

    @rule(number=names)
    def come_back(self, number: int) -> None:
        """Declare a site again that was removed."""
        site = self.all[number % len(self.all)]
        if site not in self.world.declared:
            self.world.declare(site)

    @rule(number=names, hours=st.sampled_from((0.2, 2.0)))
    def maintain(self, number: int, hours: float) -> None:
        """Begin a maintenance window now."""
        if site := self._declared(number):
            start = self.world.clock.truth()
            window = {"start": stamp(start), "end": stamp(start + timedelta(hours=hours))}
            self.world.declare(site, **self.world.declared[site] | {"maintenance": [window]})

    @rule(number=names, code=st.sampled_from((*sorted(PROBLEMS), "*")), hours=st.sampled_from((0.2, 2.0, 60.0)))
    def acknowledge(self, number: int, code: str, hours: float) -> None:
        """Silence a finding."""
        if site := self._declared(number):
            until = stamp(self.world.clock.truth() + timedelta(hours=hours))
            self.world.declare(site, **self.world.declared[site] | {"acknowledge": [{"code": code, "until": until}]})

    @rule(number=names)
    def on_demand(self, number: int) -> None:
        """Ask for a check."""
        self.world.look_on_demand(self.all[number % len(self.all)])

    @rule(plan=plans)
    def announce(self, plan: tuple[Fault, ...]) -> None:
        """Send a test alert."""
        self.world.announce(self._actor(plan))

    @rule()
    def keep_copy(self) -> None:
        """Keep a copy of the results."""
        self.world.keep_copy()

    @rule(which=places, site=st.none() | names)
    def restore(self, which: int, site: int | None) -> None:
        """Put a copy back: all of it, or one site's state."""
        if site is None:
            self.world.restore(which)
        else:
            self.world.put_back(which, self.all[site % len(self.all)])

    @rule(number=names)
    def lose_head(self, number: int) -> None:
        """Lose what every run moves of a site's state."""
        self.world.lose_head(self.all[number % len(self.all)])

    @invariant()
    def promises(self) -> None:
        """Hold what is promised of every step."""
        invariants.check(self.world)

    def teardown(self) -> None:
        """Stop the faults; everything comes right."""
        if self.world.violation is None and self.world.truths:
            settle(self.world)


def settle(world: World) -> None:
    """Let everything be handed over without a fault, until the world is quiet; then hold what is promised of that."""
    world.unreached = world.sightless = False
    for truth in world.truths.values():
        truth.visible, truth.blips = True, 0
        truth.hidden.clear()
    for site in sorted(world.declared):
        world.declare(site, **{key: it for key, it in world.declared[site].items() if key != "maintenance"})
    world.clock.sleep(900)
    _quiet(world)
    for seconds in (TICK, FLAPPING, TICK):
        _round(world, seconds)
    invariants.check(world, all_sites=True)
    invariants.settled(world, silenced=True)
    for site in sorted(world.declared):
        world.declare(site, **{key: it for key, it in world.declared[site].items() if key != "acknowledge"})
    for seconds in (TICK, FLAPPING):
        _round(world, seconds)
    invariants.check(world, all_sites=True)
    invariants.settled(world, silenced=False)


def _round(world: World, seconds: float) -> None:
    world.clock.sleep(seconds)
    world.ticks.append(world.clock.truth())
    _quiet(world)


def _quiet(world: World) -> None:
    """Hand over everything that is on its way; what fails without a fault is an error."""
    world.remove(world.removals, Actor(world))
    world.removals.clear()
    for at in world.ticks:
        world.tick(at, Actor(world))
    world.ticks.clear()
    for message in world.queue:
        world.work(message, Actor(world))
    world.queue.clear()
    while world.inserts:
        world.deliver(world.inserts.pop(0), Actor(world))
    world.sweep(Actor(world))
