"""What the page says, in every language it speaks; one dictionary for each, with equal keys."""

from .en import EN
from .errors_zh import ERRORS_ZH
from .zh import ZH

LANGUAGES = {"en": EN, "zh": ZH}
# As BCP 47 wants them in <html lang>.
TAGS = {"en": "en", "zh": "zh-Hans"}
NAMES = {"en": "English", "zh": "中文"}
# The API speaks English, to programs; what it says is found again by patterns.
ERRORS: dict[str, tuple[tuple[str, str], ...]] = {"en": (), "zh": ERRORS_ZH}


def page(language: str) -> dict[str, object]:
    """All that the page's script needs to speak a language, as JSON."""
    return {
        "tag": TAGS[language],
        "names": NAMES,
        "words": LANGUAGES[language],
        "errors": ERRORS[language],
    }
