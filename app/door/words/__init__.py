"""What the pages say, in every language they speak; one dictionary for each, with equal keys."""

from .en import EN
from .zh import ZH

LANGUAGES = {"en": EN, "zh": ZH}
# As BCP 47 wants them in <html lang>.
TAGS = {"en": "en", "zh": "zh-Hans"}
NAMES = {"en": "English", "zh": "中文"}
DEFAULT = "en"


def say(language: str, key: str, **values: object) -> str:
    """A text with its placeholders filled in; plain text, to be escaped by whoever puts it into a page."""
    return LANGUAGES[language][key].format(**values)


def preferred(accept_language: str) -> str:
    """The best of our languages for an Accept-Language header; English if there is none."""
    best, weight = DEFAULT, 0.0
    for part in accept_language[:500].split(","):
        tag, _, parameters = part.strip().partition(";")
        language = tag.strip().lower().split("-")[0]
        given = _weight(parameters)
        if language in LANGUAGES and given > weight:
            best, weight = language, given
    return best


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if not name:
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if name.strip() == "q" and 0 <= weight <= 1 else 0.0
