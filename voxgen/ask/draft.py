"""A scene while it is composed: the plot, the steps written so far, the parts placed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from voxgen.ask.layout import Plot
from voxgen.stock import Document, Part, dress, fill, footing, parts, placed, rename, shaded, shelf, tint

Step = dict[str, Any]


@dataclass
class Draft:
    """The document being written.

    slots: colour families of the scene: {"grass": "snow", "leaf": "maple"…}, for steps and parts alike.
    """

    title: str
    rng: Random
    recipe: dict[str, Any]
    plot: Plot
    slots: dict[str, str]
    light: Any = "day"
    lit: bool = False
    plan: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    parts: dict[str, Part] = field(default_factory=dict)
    textures: dict[str, Any] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    side: int = 1  # where the focal thing stands: 1 right of the middle, -1 left
    shape: str = ""  # of an island, as an expression
    missing: list[str] = field(default_factory=list)  # parts that found no room
    spots: dict[str, tuple[float, float, float]] = field(
        default_factory=dict
    )  # x, y, radius of each part's last
    tops: list[tuple[float, float, float, int]] = field(default_factory=list)  # x, y, radius, z
    top: int = 0
    afloat: Callable[[float, float], int] = lambda x, y: 0  # z of what floats at a place
    ashore: Callable[[float, float], int | None] = lambda x, y: None  # z of what stands there

    @property
    def level(self) -> int:
        """Z of the flat ground's surface cells."""
        return self.plot.level

    def add(self, *steps: Step) -> None:
        """Append steps, with the scene's colour families filled in."""
        names = shaded(self.slots)
        if "water" in self.slots:
            names["water_deep"] = f"{self.slots['water']}_dark"
        self.steps.extend(rename(step, names) for step in steps)

    def lay(self, name: str, **values: Any) -> None:
        """Append a ground of library/grounds.json: its steps, functions and textures, filled in."""
        size = {"w": self.plot.width, "d": self.plot.depth, "h": self.level}
        ground = fill({k: v for k, v in shelf("grounds")[name].items() if k != "note"}, {**size, **values})
        self.functions.update(ground.get("functions", {}))
        self.textures.update(rename(ground.get("textures", {}), shaded(self.slots)))
        self.add(*ground["steps"])

    def part(self, name: str, slots: dict[str, str] | None = None) -> str:
        """Add a stock part, and the parts it places, to the document; return its name there."""
        named, body = tint(name, {**self.slots, **(slots or {})})
        if named not in self.parts:
            for inner in dict.fromkeys(placed(body["build"])):
                self.part(inner, {})
            self.parts[named] = body
        return named

    def stand(self, name: str, x: float, y: float, z: int | None = None, turn: int = 0, **slots: str) -> None:
        """Place a stock part centred on (x, y), on the surface unless z is given, and claim its ground."""
        stock = parts()[name]
        wide, deep, tall = stock["size"]
        if turn % 180:
            wide, deep = deep, wide
        foot = stock["foot"]
        base = self.plot.surface(x, y, min(foot, 2) if foot else 0) + 1 if z is None else z
        at = [round(x) - wide // 2, round(y) - deep // 2, base]
        if z is None and ("building" in stock["tags"] or footing(name) > foot):
            self.plot.claim_box(at[0] - 1, at[1] - 1, at[0] + wide, at[1] + deep)
        else:
            self.plot.claim(x, y, foot)
        if tall > 9 and foot:
            self.plot.crowns.append((x, y, max(wide, deep) / 2))
        self.top = max(self.top, base + tall)
        self.spots[name] = (x, y, max(wide, deep) / 2 if "building" in stock["tags"] else foot)
        self.tops.append((x, y, max(wide, deep) / 2, base + tall))
        named = self.part(name, slots)
        last = next((s for s in reversed(self.steps[-12:]) if s.get("place") == named), None)
        if last is None:
            last = {"place": named, "at": [], "turn": []}
            self.steps.append(last)
        last["at"].append(at)
        last["turn"].append(turn)

    def stand_in_air(self, name: str, x: float, y: float, z: int, turn: int = 0, **slots: str) -> None:
        """Place a stock part that flies or floats: it claims no ground."""
        kept, crowns = bytes(self.plot.taken), list(self.plot.crowns)
        self.stand(name, x, y, z, turn, **slots)
        self.plot.taken[:], self.plot.crowns = kept, crowns

    def document(self, size: tuple[int, int, int]) -> Document:
        """Return the finished document, dressed with palette and functions."""
        for step in self.steps:
            if "place" in step and "turn" in step and not any(step["turn"]):
                del step["turn"]
        document: Document = {
            "voxgen": 1,
            "title": self.title,
            "plan": " ".join(self.plan),
            "size": list(size),
            "light": self.light,
            "palette": {},
            "functions": self.functions,
            "textures": self.textures,
            "parts": _inner_first(self.parts),
            "build": self.steps,
        }
        document = dress(document, self.lit)
        return {k: v for k, v in document.items() if v or k in ("palette", "build")}


def _inner_first(bodies: dict[str, Part]) -> dict[str, Part]:
    """Return the parts so that each comes after those it places."""
    ordered: dict[str, Part] = {}
    for name, body in bodies.items():
        for inner in placed(body["build"]):
            if inner in bodies:
                ordered.setdefault(inner, bodies[inner])
        ordered.setdefault(name, body)
    return ordered
