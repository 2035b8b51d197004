"""Writes the synthetic example workloads: `python -m sample_data.generate_workloads [--out DIR]`.

The texts are put together from our own phrases in `workloads/words/`. The same bytes come out on every machine: one
generator a workload, of which only `random()` is used, the one method whose sequence Python promises to keep.
"""

from __future__ import annotations

import argparse
import json
import random
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from string import Formatter
from typing import Any, TypeVar

SEED = 20_261_123
FOLDER = Path(__file__).with_name("workloads")
WORDS = FOLDER / "words"

REVIEWS, ARTICLES, NEWS_ITEMS, HOURS = 1_000, 200, 100, 24

T = TypeVar("T")
Slots = Mapping[str, Sequence[str]]
Request = dict[str, Any]


class Dice:
    """Reproducible choices for one workload."""

    def __init__(self, name: str) -> None:
        self._random = random.Random(f"{SEED} {name}").random

    def chance(self, share: float) -> bool:
        """True in that share of the calls."""
        return self._random() < share

    def between(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return low + int(self._random() * (high - low + 1))

    def pick(self, options: Sequence[T]) -> T:
        """One of them."""
        return options[self.between(0, len(options) - 1)]

    def some(self, options: Sequence[T], count: int) -> list[T]:
        """`count` different ones in any order."""
        left = list(options)
        return [left.pop(self.between(0, len(left) - 1)) for _ in range(count)]

    def choose(self, slots: Slots) -> Slots:
        """One value for each gap, so that several phrases agree."""
        return {gap: [self.pick(values)] for gap, values in slots.items()}

    def fill(self, phrase: str, slots: Slots) -> str:
        """The phrase with a choice in each of its gaps."""
        return "".join(text + (self.pick(slots[gap]) if gap else "") for text, gap, _, _ in Formatter().parse(phrase))


# --- app reviews ------------------------------------------------------------------------------------------------------

REVIEW_SYSTEM = (
    "You sort store reviews of Fernplan, a daily planner. Answer with one JSON object: sentiment (positive, mixed, "
    "negative), topics (list), bug (true or false), summary (one English sentence)."
)
COUNTRIES = {
    "en": ("US", "GB", "IE", "CA", "AU", "NZ", "IN", "ZA"),
    "de": ("DE", "AT", "CH"),
    "es": ("ES", "MX", "AR", "CL"),
    "fr": ("FR", "BE", "CA"),
    "pt": ("BR", "PT"),
    "it": ("IT", "CH"),
    "ja": ("JP",),
}
LANGUAGES = (*("en",) * 31, *("de",) * 5, *("es",) * 4, *("fr",) * 3, *("pt",) * 3, *("it",) * 2, *("ja",) * 2)
RATINGS = (1, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 5, 5)
EMOJIS = {1: "😡", 2: "😞", 3: "😅", 4: "👍", 5: "❤️"}


def app_reviews() -> Iterator[Request]:
    """1,000 different reviews, most in English."""
    dice, words = Dice("app-reviews"), _words("reviews")
    seen: set[str] = set()
    while len(seen) < REVIEWS:
        language, rating = dice.pick(LANGUAGES), dice.pick(RATINGS)
        facts = dice.choose({name: words["slots"][name] for name in ("device", "version", "price")})
        text = _review(dice, words[language], {**words["slots"], **facts}, language, rating)
        if text in seen:
            continue
        seen.add(text)
        device = f"\nDevice: {facts['device'][0]}" if dice.chance(0.7) else ""
        head = f"Rating: {rating}/5\nCountry: {dice.pick(COUNTRIES[language])}\nVersion: {facts['version'][0]}{device}"
        yield _request(f"review-{len(seen):04}", "claude-haiku-4-5-20251001", 180, REVIEW_SYSTEM, f"{head}\n\n{text}")


def _review(dice: Dice, words: Mapping[str, Any], slots: Slots, language: str, rating: int) -> str:
    phrases = _english(dice, words, rating) if language == "en" else _other(dice, words, rating)
    sentences = [dice.fill(phrase, slots) for phrase in phrases if phrase]
    text = ("" if language == "ja" else " ").join(sentence[0].upper() + sentence[1:] for sentence in sentences)
    if language == "en":
        text = _typed_in_a_hurry(dice, text)
    return f"{text} {EMOJIS[rating]}" if dice.chance(0.05) else text


def _english(dice: Dice, words: Mapping[str, Any], rating: int) -> list[str]:
    tone = words["good" if rating > 3 else "bad" if rating < 3 else "mixed"]
    topics = dice.some(list(words["topics"].values()), dice.pick((1, 1, 2, 2, 3)))
    moods = [dice.chance((rating - 1) / 4) if rating in (2, 3, 4) else rating == 5 for _ in topics]
    claims = [dice.pick(topic["good" if good else "bad"]) for topic, good in zip(topics, moods, strict=True)]
    opening = [dice.pick(tone["open"])] if dice.chance(0.8) else []
    return [*opening, *claims, dice.pick(tone["close"])]


def _other(dice: Dice, words: Mapping[str, Sequence[str]], rating: int) -> list[str]:
    good = dice.some(words["good"], 2)
    bad = dice.some(words["bad"], 2)
    return {5: good, 4: [*good, bad[0]], 3: [good[0], bad[0]], 2: [*bad, good[0]], 1: bad}[rating]


def _typed_in_a_hurry(dice: Dice, text: str) -> str:
    if dice.chance(0.12):
        text = text.lower()
    if dice.chance(0.06):
        text = text.replace(". ", "!! ")
    if dice.chance(0.05):
        text = text.replace("'", "")
    return _with_typo(dice, text) if dice.chance(0.18) else text


def _with_typo(dice: Dice, text: str) -> str:
    """Two neighbouring letters swapped, or one lost."""
    at = dice.between(1, len(text) - 3)
    if not (text[at].isalpha() and text[at + 1].isalpha()):
        return text
    return text[:at] + (text[at + 1] + text[at] if dice.chance(0.5) else text[at + 1]) + text[at + 2 :]


# --- articles and news ------------------------------------------------------------------------------------------------

SEO_SYSTEM = (
    "You write search metadata for Sill & Soil, a blog about growing food on balconies. Readers are beginners in a "
    "cool climate. For the article you are given answer with one JSON object and nothing else:\n"
    "- title: at most 60 characters, the plant's name in the first half, no brand, no exclamation mark\n"
    "- description: 140 to 155 characters, one full sentence that says what the reader will be able to do\n"
    "- slug: lower case, words joined by hyphens, at most six words, no stop words\n"
    "- keywords: five to eight search phrases as a beginner would type them, most specific first\n"
    "- faq: three questions that the article answers, each with an answer of at most 40 words taken from it\n"
    "Write plain British English. Use only what the article says: no yields, dates or temperatures of your own. Do not "
    "promise success, do not address the reader by 'we', and never use the words ultimate, effortless or hack."
)
PLANT = ("plant", "sow", "light", "litres", "gap", "days", "pest", "neighbour", "dish")
NEWS_SYSTEM = (
    "You write the morning digest of a regional radio station. Sum up the news item in two sentences of at most 25 "
    "words each, then one line 'Why it matters:' with at most 15 words. Neutral tone, present tense, no adjectives of "
    "praise. Keep names, places and amounts exactly as given."
)


def seo_metadata() -> Iterator[Request]:
    """An article for each plant from each of the five angles."""
    dice, words = Dice("seo-metadata"), _words("articles")
    pairs = [(plant, angle) for plant in words["plants"] for angle in words["angles"].values()]
    for number, (plant, angle) in enumerate(dice.some(pairs, ARTICLES), start=1):
        slots = {name: [str(value)] for name, value in zip(PLANT, plant, strict=True)}
        title = dice.fill(dice.pick(angle["titles"]), slots)
        paragraphs = [dice.fill(part, slots) for part in angle["parts"]]
        for aside in dice.some(words["asides"], 3):
            paragraphs.insert(dice.between(1, len(paragraphs)), aside)
        article = f"# {title[0].upper()}{title[1:]}\n\n" + "\n\n".join(paragraphs)
        yield _request(f"article-{number:03}", "claude-sonnet-5-5", 900, SEO_SYSTEM, article)


def news_digest() -> Iterator[Request]:
    """Five items of each story, each in another town."""
    dice, words = Dice("news-digest"), _words("news")
    stories, slots = words["story"], words["slots"]
    each = NEWS_ITEMS // len(stories)
    items = [(story, town) for story in stories for town in dice.some(slots["town"], each)]
    for number, (story, town) in enumerate(dice.some(items, NEWS_ITEMS), start=1):
        here = dice.choose(slots | {"town": [town]})
        body = [dice.fill(part, here) for part in (story["title"], "", *story["body"])]
        # Other people with other figures, but in the same town.
        others = slots | {"person": [person for person in slots["person"] if person not in here["person"]]}
        voices = [*dice.some(slots["reaction"], 2), dice.pick(slots["outlook"])]
        said = [dice.fill(voice, others) for voice in voices]
        yield _request(f"news-{number:03}", "claude-sonnet-5-5", 300, NEWS_SYSTEM, "\n".join((*body, *said)))


# --- behaviour logs ---------------------------------------------------------------------------------------------------

REPORT_SYSTEM = """\
You read one hour of the event log of Fernplan, a daily planner, and write that hour's part of the morning report.

A line is: time (UTC), session, user, platform, app version, event, then name=value pairs.

Events
- app_open: the app came to the front. cold=1 when it was not running. ms is the time until the first screen.
- screen_view: a screen was shown. name is today, week, month, lists, search, settings or paywall.
- task_add: a task was made. src is typed, voice, widget, template or share. list counts the lists of this user.
- task_done: a task was ticked off. late is by how many minutes, negative when early.
- reminder: a notification went out. lag is the delay in seconds; more than 60 is a fault.
- sync: changes were exchanged. n is how many, ms how long it took. ok=0 is a failure, err says why.
- search: len is the length of the query, hits the number of results. A search with 0 hits and then another
  one means that the user did not find it.
- purchase: plan is month or year. result is ok, canceled or declined.
- crash: sig is the signature; the same signature is the same fault.
- app_close: s is how long the app was in front, in seconds.

Report, in this order and in Markdown
1. One sentence on what stands out. If nothing does, say so.
2. A table: sessions, users, tasks added, tasks done, share of late ones, syncs failed, crashes.
3. Faults, each with its signature or error, how many users it touched, platforms and versions, and the first time seen.
4. Up to three places where users seem stuck, each with the sessions that show it.

Rules: count users once. Do not guess causes that no line supports. Leave a cell empty rather than estimate it. Name no
user; a session id is enough. At most 250 words without the table. No greeting, no closing remark.
"""
LINES_BY_HOUR = (
    46,
    34,
    28,
    24,
    30,
    52,
    88,
    126,
    142,
    128,
    116,
    110,
    118,
    112,
    104,
    102,
    108,
    120,
    132,
    138,
    134,
    112,
    86,
    62,
)
SCREENS = ("today", "today", "today", "week", "week", "month", "lists", "search", "settings", "paywall")
ERRORS = ("timeout", "timeout", "http_503", "conflict", "auth_expired")
CRASHES = ("NullDate@WeekView.layout:212", "IllegalState@WidgetProvider.update:88", "OutOfMemory@PhotoAttach.decode:41")
SOURCES = ("typed", "typed", "voice", "widget", "template", "share")
PLATFORMS = ("android", "android", "android", "ios", "ios")
VERSIONS = ("4.7.1", "4.7.1", "4.7.1", "4.7.0", "4.6.3")


def behaviour_report() -> Iterator[Request]:
    """A day's event log, an hour a request."""
    dice = Dice("behaviour-report")
    for hour, lines in enumerate(LINES_BY_HOUR[:HOURS]):
        log = "\n".join(sorted(_session_lines(dice, hour, lines)))
        day = f"Log of 2026-11-22, hour {hour:02}:00 to {hour:02}:59 UTC\n\n"
        yield _request(f"hour-{hour:02}", "claude-haiku-5-5", 900, REPORT_SYSTEM, day + log)


def _session_lines(dice: Dice, hour: int, count: int) -> Iterator[str]:
    while count > 0:
        session, user = (f"{dice.between(0, 0xFFFF):04x}" for _ in range(2))
        who = f"s={session} u={user} {dice.pick(PLATFORMS)} {dice.pick(VERSIONS)}"
        second = dice.between(0, 3_000)
        for event in _session(dice):
            yield f"2026-11-22T{hour:02}:{second // 60:02}:{second % 60:02}Z {who} {event}"
            second = min(second + dice.between(2, 70), 3_599)
            count -= 1


def _session(dice: Dice) -> Iterator[str]:
    cold = dice.chance(0.4)
    yield f"app_open cold={cold:d} ms={dice.between(600, 2_900) if cold else dice.between(80, 420)}"
    for _ in range(dice.between(2, 7)):
        if dice.chance(0.01):
            yield f"crash sig={dice.pick(CRASHES)}"
            return
        yield dice.pick(EVENTS)(dice)
    yield f"app_close s={dice.between(4, 900)}"


def _screen_view(dice: Dice) -> str:
    return f"screen_view name={dice.pick(SCREENS)}"


def _task_done(dice: Dice) -> str:
    return f"task_done late={dice.between(-240, 600)}"


def _task_add(dice: Dice) -> str:
    return f"task_add src={dice.pick(SOURCES)} list={dice.between(1, 14)}"


def _sync(dice: Dice) -> str:
    done = f"sync n={dice.between(1, 38)} ms={dice.between(90, 4_800)}"
    return f"{done} ok=0 err={dice.pick(ERRORS)}" if dice.chance(0.07) else f"{done} ok=1"


def _reminder(dice: Dice) -> str:
    return f"reminder lag={dice.between(61, 900) if dice.chance(0.04) else dice.between(0, 6)}"


def _search(dice: Dice) -> str:
    return f"search len={dice.between(2, 24)} hits={dice.between(0, 9)}"


def _purchase(dice: Dice) -> str:
    return f"purchase plan={dice.pick(('month', 'year'))} result={dice.pick(('ok', 'ok', 'canceled', 'declined'))}"


EVENTS: tuple[Callable[[Dice], str], ...] = (
    *(_screen_view,) * 9,
    *(_task_done,) * 6,
    *(_task_add,) * 5,
    *(_sync,) * 6,
    *(_reminder,) * 3,
    *(_search,) * 2,
    _purchase,
)

# --- files ------------------------------------------------------------------------------------------------------------

WORKLOADS: dict[str, Callable[[], Iterator[Request]]] = {
    "app-reviews": app_reviews,
    "seo-metadata": seo_metadata,
    "news-digest": news_digest,
    "behaviour-report": behaviour_report,
}


def write(folder: Path) -> None:
    """Write one JSON Lines file a workload."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, requests in WORKLOADS.items():
        lines = (json.dumps(request, ensure_ascii=False, separators=(",", ":")) + "\n" for request in requests())
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8", newline="\n")


def _request(custom_id: str, model: str, max_tokens: int, system: str, text: str) -> Request:
    messages = [{"role": "user", "content": text}]
    params = {"model": model, "max_tokens": max_tokens, "system": system, "messages": messages}
    return {"custom_id": custom_id, "params": params}


def _words(name: str) -> dict[str, Any]:
    return tomllib.loads((WORDS / f"{name}.toml").read_text(encoding="utf-8"))


def main() -> None:
    """Write the files again, by default over the committed ones."""
    parser = argparse.ArgumentParser(description="Write the synthetic example workloads.")
    parser.add_argument("--out", type=Path, default=FOLDER, help="the folder; default the committed one")
    write(parser.parse_args().out)


if __name__ == "__main__":
    main()
