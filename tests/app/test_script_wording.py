"""What is spoken of a line, and what is not: each rule on and off."""

import dataclasses

import pytest
from vibevoice.script import Rules, parse

OFF = Rules(
    names=False,
    directions=False,
    brackets=False,
    pauses=False,
    punctuation=False,
    markdown=False,
    emoji=False,
    wrapped_lines=False,
    long_turn=0,
)


def only(**rule: bool | int) -> Rules:
    return dataclasses.replace(OFF, **rule)


def said(line: str, rules: Rules = Rules()) -> str:  # noqa: B008
    return " | ".join(turn.text for turn in parse(line, rules).turns)


def test_without_rules_only_blanks_change() -> None:
    line = "A (b) [c] [pause] *sighs* **d** 😀 :) “e”，……《f》 [g](https://h)"
    assert said(f"  {line}\t ", OFF) == line
    assert said(f"{line}\nand more", OFF) == f"{line} | and more"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("I know (laughs) it.", "I know it."),
        ("I know (laughs), really.", "I know, really."),
        ("I know, (laughs), really.", "I know, really."),
        ("(whispering) Come here.", "Come here."),
        ("Come here. (Door closes.)", "Come here."),
        ("So(laughs)what?", "So what?"),
        ("我觉得这事没那么简单……(语气犹豫)", "我觉得这事没那么简单..."),
        ("我（停了一下）不知道。", "我不知道."),
        ("真的吗？（笑）太好了！", "真的吗? 太好了!"),
        ("（叹气）唉，（沉默）算了。", "唉, 算了."),
        ("a (b (c) d) e", "a e"),
        ("a (b （c） d） e", "a e"),
        ("a (b [c) d] e", "a d] e"),
        ("The law (see page 3) holds.", "The law holds."),
        ("去年（2024年）很热。", "去年很热."),
        ("That's it *sighs* again.", "That's it again."),
        ("*clears throat* Well.", "Well."),
        ("*叹气* 好吧。", "好吧."),
        ("I *really* mean it.", "I really mean it."),
        ('"(softly) Hello" she said.', '"Hello" she said.'),
    ],
)
def test_directions_in_parentheses_are_not_spoken(line: str, expected: str) -> None:
    assert said(line) == expected


def test_a_direction_may_run_over_the_end_of_a_line_but_not_of_a_speech() -> None:
    assert said("I know (he goes\nto the door) it.") == "I know it."
    assert said("I know (he goes\n\nto the door) it.") == "I know (he goes | to the door) it."
    assert said("Ana: I know (he goes\nBen: to the door) it.") == "I know (he goes | to the door) it."


@pytest.mark.parametrize("line", ["I know (he goes to the door.", "a) one b) two", "So ) it ( goes"])
def test_a_bracket_without_its_other_half_silences_nothing(line: str) -> None:
    assert said(line) == line


def test_an_unclosed_bracket_leaves_the_closed_ones_after_it() -> None:
    assert said("I (know [it (laughs) well") == "I (know [it well"


def test_parentheses_can_be_kept() -> None:
    assert said("我（笑）知道 *sighs* (b)", only(punctuation=True)) == "我(笑)知道 *sighs* (b)"
    assert said("a (b) [c] *sighs*", only(directions=True)) == "a [c]"
    assert said("a (b) *sighs* c", Rules(directions=False)) == "a (b) sighs c"


@pytest.mark.parametrize("line", ["a [b] c", "a 【b】 c", "a ［b］ c", "a [b [d] e] c", "a [1] c"])
def test_square_brackets_are_not_spoken(line: str) -> None:
    assert said(line) == "a c"
    assert said(line, Rules(brackets=False, punctuation=False)) == line


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("你好，世界。", "你好, 世界."),
        ("苹果、香蕉；还有梨！", "苹果, 香蕉, 还有梨!"),
        ("他说：“你好。”她走了？", '他说, "你好." 她走了?'),
        ("‘是’，「好」『嗯』", "'是', \"好\"'嗯'"),
        ("我读《红楼梦》，很久了", '我读"红楼梦", 很久了'),
        ("我想……也许吧…", "我想... 也许吧..."),
        ("我想。。。也许", "我想... 也许"),
        ("他——我的朋友——走了", "他, 我的朋友, 走了"),
        ("他—走了", "他, 走了"),
        ("——你好", "你好"),
        ("好的～走吧", "好的, 走吧"),
        ("什么？！不会吧！！", "什么?! 不会吧!!"),
        ("等等，……好", "等等... 好"),
        ("列夫·托尔斯泰", "列夫 托尔斯泰"),
        ("１０：３０，３～５天，１，０００元，３．５％", "10:30, 3~5天, 1,000元, 3.5%"),
        ("他有3。5是多的", "他有3. 5是多的"),
        ("ＡＢＣ　ｄ￥５", "ABC d¥5"),
        ("It’s “fine”…really", 'It\'s "fine"... really'),
        ("I’m Marcus—the thinker — yes", "I'm Marcus—the thinker — yes"),
        ("Well -- no; yes: maybe", "Well -- no; yes: maybe"),
        ("cafe\u0301", "café"),
    ],
)
def test_marks_become_those_the_model_reads_well(written: str, expected: str) -> None:
    assert said(written) == expected


def test_marks_can_be_left_as_they_are() -> None:
    assert said("他说：“你好……”，《书》——１２", Rules(punctuation=False)) == "他说：“你好……”，《书》——１２"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("# The title", "The title"),
        ("- one **bold** word", "one bold word"),
        ("> quoted __word__ and `code` ~~gone~~", "quoted word and code gone"),
        ("这是**重点**内容", "这是重点内容"),
        ("***all*** _of_ it", "all of it"),
        ("2 * 3 is 6, f**k snake_case", "2 * 3 is 6, f**k snake_case"),
        ("see [the page](https://example.com/a?b=c) now", "see the page now"),
        ("- 5 degrees", "5 degrees"),
        ("-5 degrees", "-5 degrees"),
    ],
)
def test_markdown_leaves_its_words(written: str, expected: str) -> None:
    assert said(written) == expected
    kept = said(written, Rules(markdown=False, brackets=False, directions=False))
    assert kept == " ".join(written.split())


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Happy birthday 🎂🎉!", "Happy birthday!"),
        ("生日快乐🎂，小雨❤️", "生日快乐, 小雨"),
        ("👩‍👩‍👧 family 👍🏽 🇨🇳 🏴󠁧󠁢󠁥󠁮󠁧󠁿", "family"),
        ("Press 1️⃣ now ✔", "Press 1 now"),
        ("Hi :) there ;-( you :)", "Hi there you"),
        ("好的:) 走", "好的 走"),
        ("25 °C, ½ € + 1 → 2 ©", "25 °C, ½ € + 1 → 2 ©"),
    ],
)
def test_emoji_are_dropped_and_other_symbols_kept(written: str, expected: str) -> None:
    assert said(written) == expected


def test_nothing_is_left_behind_the_last_emoji() -> None:
    assert said("0:🀀:🀀", Rules(punctuation=False)) == "0:"


def test_emoji_can_be_kept() -> None:
    assert said("Hi 🎂 :) you", Rules(emoji=False)) == "Hi 🎂 :) you"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("It is\ngood to be here.", "It is good to be here."),
        ("Roses are red,\nViolets are blue.", "Roses are red, | Violets are blue."),
        ("床前明月光\n疑是地上霜", "床前明月光 | 疑是地上霜"),
        ("One.\ntwo.", "One. | two."),
        ("One\n\ntwo.", "One | two."),
        (
            "This line was broken by an editor in the middle of\nLondon, and goes on.",
            "This line was broken by an editor in the middle of London, and goes on.",
        ),
        (
            "这一行是被编辑器从中间断开的因为它已经写得太长太长\n了所以继续。",
            "这一行是被编辑器从中间断开的因为它已经写得太长太长了所以继续.",
        ),
    ],
)
def test_a_sentence_that_was_broken_into_lines_is_one(written: str, expected: str) -> None:
    assert said(written) == expected
    assert said(written, Rules(wrapped_lines=False)).count("|") >= 1
