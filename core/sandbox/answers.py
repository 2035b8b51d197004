"""Short made-up answers that fit the kind of the prompt; the same prompt always gets the same one."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from typing import Any

LOOKED_AT = 400
"""How many characters of the instructions and of the last message are looked at; the rest only counts as tokens."""

_KINDS = {
    "review": ("review", "sentiment", "urgency", "classif", "rating", "app store", "feedback"),
    "seo": ("seo ", "metadata", "meta description", "title", "description", "slug", "keyword"),
    "news": ("news", "headline", "summar", "sum up", "press", "digest", "briefing"),
    "log": ("behaviour", "behavior", " log", "event", "session", "report", "funnel"),
}
_NEWS_TOPICS = ("business", "technology", "science", "culture", "politics")
_WORD = re.compile(r"[^\W\d_]{3,}")
_STARS = re.compile(r"\b([1-5])(?:/5| stars?)\b")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_POSITIVE = _words("love great excellent amazing perfect best easy fast helpful thanks good nice smooth happy")
_NEGATIVE = _words(
    "crash crashes crashed bug bugs broken slow refund terrible worst hate lost charged error fails freezes bad "
    "annoying useless disappointed waste stuck expensive"
)
_URGENT = _words("crash crashes crashed refund lost charged deleted fraud locked hacked immediately urgent")
_TOPICS = {
    "billing": _words("charged refund price subscription payment billing invoice expensive trial"),
    "stability": _words("crash crashes crashed freezes bug bugs broken error fails stuck"),
    "performance": _words("slow fast lag battery loading speed memory smooth"),
    "account": _words("login password account locked hacked sign email"),
    "sync": _words("sync synced syncing offline cloud export import backup"),
    "design": _words("design interface layout button screen dark font colors"),
}
_COMMON = _words(
    "the and for with that this from your you are was were has have had not but all can our his her its they their "
    "will would about into over than then them when what which who write give answer return please each one text "
    "json following summarise summarize classify review article user item seo title "
    "meta description news log report rating country version device"
)


def answer(params: Mapping[str, Any]) -> str:
    """The text of the answer to well-formed Messages parameters.

    >>> answer({"messages": [{"role": "user", "content": "What is the tallest mountain?"}]})
    'This is a sandbox answer about "tallest mountain"; no model has read the prompt.'
    """
    instructions = _text(params.get("system") or "")[:LOOKED_AT]
    prompt = _text(params["messages"][-1]["content"])
    seed = zlib.crc32(f"{instructions}\0{prompt}".encode("utf-8", "surrogatepass"))
    kind = _kind(f"{instructions} {prompt[:LOOKED_AT]}".lower())
    return _WRITERS[kind](_subject(prompt, kind), seed, prompt)


def _subject(prompt: str, kind: str) -> list[str]:
    """The telling words of what the prompt is about: the start of an article, else the last paragraph."""
    about = prompt[:LOOKED_AT] if kind == "seo" else prompt.rstrip()[-LOOKED_AT:].rsplit("\n\n", 1)[-1]
    return [word for word in dict.fromkeys(_WORD.findall(about)) if word.lower() not in _COMMON]


def _text(content: str | list[dict[str, Any]]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(block["text"] for block in content if block["type"] == "text")


def _kind(text: str) -> str:
    """The kind with the most of its words in the text, from two on; the first of equals."""
    found = {kind: sum(map(text.__contains__, words)) for kind, words in _KINDS.items()}
    best = max(found, key=lambda kind: found[kind])
    return best if found[best] > 1 else "other"


def _review(words: list[str], seed: int, prompt: str) -> str:
    used = {word.lower() for word in words}
    stars = _STARS.search(prompt[-LOOKED_AT:])
    balance = len(used & _POSITIVE) - len(used & _NEGATIVE) + (2 * int(stars[1]) - 6 if stars else 0)
    mood = "positive" if balance > 0 else "negative" if balance < 0 else ("neutral", "mixed")[seed % 2]
    topic = max(_TOPICS, key=lambda name: len(used & _TOPICS[name]))
    return json.dumps(
        {
            "sentiment": mood,
            "topic": topic if used & _TOPICS[topic] else "general",
            "urgency": "high" if used & _URGENT else ("medium" if mood == "negative" else "low"),
            "summary": f"Sandbox: says {_about(words, 4, seed)}.",
        },
        ensure_ascii=False,
    )


def _seo(words: list[str], seed: int, _prompt: str) -> str:
    frame = ("{}: a practical guide", "{} explained", "What to know about {}")[seed % 3]
    description = f"Sandbox description of {_about(words, 5)}: read about {_about(words, 6, seed)}, in clear steps."
    title = frame.format(_about(words, 4))
    return json.dumps({"title": title[:60], "description": description[:155]}, ensure_ascii=False)


def _news(words: list[str], seed: int, _prompt: str) -> str:
    topic = _NEWS_TOPICS[seed % len(_NEWS_TOPICS)]
    return (
        f"Topic: {topic}. This sandbox summary says that the item is about {_about(words, 4)}. "
        f"It also mentions {_about(words, 4, seed)}."
    )


def _log(words: list[str], seed: int, _prompt: str) -> str:
    return (
        f"Sandbox report. Most activity concerned {_about(words, 3)}. "
        f"Compared with the day before, visits changed by {seed % 31 - 15:+d} %. "
        f"Worth a look: {_about(words, 3, seed)}."
    )


def _other(words: list[str], _seed: int, _prompt: str) -> str:
    return f'This is a sandbox answer about "{_about(words, 4)}"; no model has read the prompt.'


def _about(words: list[str], count: int, at: int = 0) -> str:
    """Some of the words, in their order, from any position on."""
    start = at % max(len(words) - count + 1, 1)
    return " ".join(words[start : start + count]) or "the text"


_WRITERS = {"review": _review, "seo": _seo, "news": _news, "log": _log, "other": _other}
