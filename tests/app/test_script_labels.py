"""Who speaks is told from labels, and labels from prose."""

import pytest
from vibevoice.script import Rules, ScriptError, Turn, parse


def cast(script: str, rules: Rules = Rules()) -> tuple[str, ...]:  # noqa: B008
    return parse(script, rules).speakers


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("Speaker 2: Hello.", "Speaker 2"),
        ("  speaker 2 ： Hello.", "speaker 2"),
        ("SPEAKER2:Hello.", "SPEAKER2"),
        ("Ｓｐｅａｋｅｒ　２：Hello.", "Ｓｐｅａｋｅｒ ２"),
        ("Speaker_2: Hello.", "Speaker_2"),
        ("Speaker 7: Hello.", "Speaker 7"),
        ("[2]: Hello.", "2"),
        ("[2] Hello.", "2"),
        ("［２］：Hello.", "２"),
        ("【2】Hello.", "2"),
        ("Voice B: Hello.", "Voice B"),
        ("Guest 1: hello.", "Guest 1"),
        ("Narrator: hello.", "Narrator"),
        ("[Ana]: hello.", "Ana"),
        ("角色A：Hello.", "角色A"),
        ("角色一： Hello.", "角色一"),
        ("[角色A] Hello.", "角色A"),
        ("【角色A】：Hello.", "角色A"),
        ("说话人 2：Hello.", "说话人 2"),
        ("主持人：Hello.", "主持人"),
        ("旁白：Hello.", "旁白"),
        ("**Speaker 2:** Hello.", "Speaker 2"),
        ("**Speaker 2**: Hello.", "Speaker 2"),
        ("__Speaker 2__： Hello.", "Speaker 2"),
        ("- Speaker 2: Hello.", "Speaker 2"),
        ("* **[2]:** Hello.", "2"),
        ("> Speaker 2: Hello.", "Speaker 2"),
        ("### Speaker 2: Hello.", "Speaker 2"),
        ("[00:01:12] Speaker 2: Hello.", "Speaker 2"),
        ("00:12 - Speaker 2: Hello.", "Speaker 2"),
        ("Speaker 2 (excited): Hello.", "Speaker 2"),
        ("角色A（笑）：Hello.", "角色A"),
        ("Speaker 2 [00:12]: Hello.", "Speaker 2"),
    ],
)
def test_an_explicit_label_counts_wherever_it_stands(line: str, name: str) -> None:
    script = parse(f"Speaker 1: First.\n\n{line}\nAnd on it goes.", Rules(names=False))
    assert script.speakers == ("Speaker 1", name)
    assert script.turns[1].text.casefold() == "hello."
    assert [turn.speaker for turn in script.turns] == [0, 1, 1]


def test_numbered_speakers_in_one_line_are_told_apart() -> None:
    assert parse(
        "Speaker 1: Hello. Speaker 2: Hi! speaker 1： 你好。Speaker 2:\nBye. Speaker 3 is absent."
    ).turns == (
        Turn(0, "Hello."),
        Turn(1, "Hi!"),
        Turn(0, "你好."),
        Turn(1, "Bye. Speaker 3 is absent."),
    )
    with pytest.raises(ScriptError, match=r"^Line 1, column 26: This pause"):
        parse("Speaker 1: A. Speaker 2: [pause:1s")
    with pytest.raises(ScriptError, match=r"^Line 2, column 58: 'Speaker 5' would be speaker 5"):
        parse("\n Speaker 1: A. Speaker 2: B. Speaker 3: C. Speaker 4: D. Speaker 5: E")


@pytest.mark.parametrize(
    "pair",
    [
        ("Speaker 1:", "speaker １："),
        ("Speaker 1:", "[1]"),
        ("Speaker 1:", "SPEAKER 01 :"),
        ("角色A：", "【角色Ａ】"),
        ("[Ana]:", "ANA (sadly):"),
        ("Dr. Li:", "dr.  Li:"),
        ("José:", "Jose\u0301:"),
    ],
)
def test_labels_that_mean_the_same_are_one_speaker(pair: tuple[str, str]) -> None:
    assert cast(f"{pair[0]} One.\n{pair[1]} Two.\n{pair[0]} Three.\n{pair[1]} Four.") == (
        pair[0].strip(":：[]【】"),
    )


@pytest.mark.parametrize(
    ("script", "names"),
    [
        ("Ana: Hello.", ("Ana",)),
        ("Ana: Hi.\nBen: Hello.", ("Ana", "Ben")),
        ("---\n\nAna: Hi.\nSo be it.\nAmen.", ("Ana",)),
        ("ana: hi\nben: hello", ("ana", "ben")),
        ("Ana: Hi.\nHow are you?\nBen: Fine.\nAnd you?", ("Ana", "Ben")),
        ("Dr. Jane O'Neil: Good morning.\nJean-Luc: Good morning.", ("Dr. Jane O'Neil", "Jean-Luc")),
        ("Old man: So.\nAna: Yes?\nOld man: so what?", ("Old man", "Ana")),
        ("Q: What is it?\nA: A voice.", ("Q", "A")),
        ("小明：你好。\n小红：你好！", ("小明", "小红")),
        ("王教授：请坐。\n学生甲：谢谢。\n王教授：说吧。", ("王教授", "学生甲")),
        ("问：这是什么？\n答：一个声音。", ("问", "答")),
        ("我：走吗？\n他：走。", ("我", "他")),
        ("[Ana] Hi.\n[Ben] Hello.", ("Ana", "Ben")),
        ("【小明】你好。\n【小红】你好！", ("小明", "小红")),
        ("[Ana]: Hi.\n[Ben]: Yes.\n[Ana] so be it.", ("Ana", "Ben")),
        ("Mary Ann Lee: Hi.\n\nWelcome to a\nlong story.\nIt goes on.\n\nAnd on.", ("Mary Ann Lee",)),
    ],
)
def test_a_name_is_a_label_where_the_script_is_written_so(script: str, names: tuple[str, ...]) -> None:
    assert cast(script) == names


@pytest.mark.parametrize(
    "line",
    [
        "Remember: this is important.",
        "Remember: This is important.",
        "Note: Doors open at nine.",
        "At 10:30 we leave.",
        "10:30 is the time.",
        "http://example.com is the address.",
        "C:\\temp is the folder.",
        "He said: Go away.",
        "She whispered: come.",
        "There is one thing I know: it rains.",
        "Breaking News: Storm over the coast.",
        "Chapter 3: The Storm",
        "Step 1: Open the door.",
        "Dear Lucy: Happy birthday!",
        "My view: Stay.",
        "Think about it: we are alone.",
        "他说：你好。",
        "小明笑着说：“走吧。”",
        "注意：这很重要。",
        "亲爱的小雨：生日快乐！",
        "各位听众：大家好。",
        "今日要闻：股市上涨。",
        "第一：不要怕。",
        "事情是这样的，他说：你好。",
        "结果其实很简单：没有人来。",
        "好的：走吧。",
        "Great :) let us go.",
    ],
)
def test_prose_with_a_colon_stays_prose(line: str) -> None:
    rules = Rules(punctuation=False, wrapped_lines=False, emoji=False)
    for script in (line, f"Ana: Hi.\n{line}\nBen: Hello.\nAna: Bye.", f"One.\nTwo.\n{line}"):
        turns = parse(script, rules).turns
        assert [turn.text for turn in turns].count(line) == script.count(line)


def test_a_name_once_in_the_middle_of_prose_stays_prose() -> None:
    script = "It was a long day.\nAna: that was her name.\nNobody knew her.\nNobody cared."
    assert cast(script) == ("Speaker 1",)
    assert len(parse(script).turns) == 4


def test_a_name_of_more_than_three_words_or_24_columns_is_none() -> None:
    assert cast("The Quick Brown Fox: Hi.\nThe Quick Brown Fox: Ho.") == ("Speaker 1",)
    assert cast("Wolfeschlegelsteinhausenb: Hi.\nWolfeschlegelsteinhausenb: Ho.") == ("Speaker 1",)
    assert cast("一二三四五六七八九十一二三：嗨。\n一二三四五六七八九十一二三：嗨。") == ("Speaker 1",)


@pytest.mark.parametrize(
    "direction", ["[laughs]", "[Music]", "[Sighs]", "【音乐】", "【笑】", "[Door opens]"]
)
def test_a_direction_in_brackets_is_no_label(direction: str) -> None:
    script = f"{direction} Hi.\n{direction} Hello."
    assert parse(script).turns == (Turn(0, "Hi."), Turn(0, "Hello."))
    assert cast(f"Ana: Hi.\n{direction} Well.\nBen: Ho.") == ("Ana", "Ben")


def test_a_capitalised_direction_in_a_script_with_labels_is_no_label() -> None:
    assert parse("Ana: Hi.\n[Exhausted] I am so tired.\nBen: Why?").turns == (
        Turn(0, "Hi."),
        Turn(0, "I am so tired."),
        Turn(1, "Why?"),
    )


def test_without_the_rule_names_are_read_aloud() -> None:
    rules = Rules(names=False)
    assert parse("Ana: Hi.\nBen: Hello.", rules).turns == (Turn(0, "Ana: Hi."), Turn(0, "Ben: Hello."))
    assert cast("Speaker 1: Hi.\n[2] Hello.", rules) == ("Speaker 1", "2")


def test_a_direction_within_a_label_is_kept_if_directions_are() -> None:
    assert parse("Ana (sad): Hi.\nBen: Ho.", Rules(directions=False)).turns[0].text == "(sad) Hi."


@pytest.mark.parametrize("direction", ["(laughs)", "[sighs]", "*whispers*", "（笑）", "(laughs) [loudly]"])
def test_a_name_stands_before_a_direction_too(direction: str) -> None:
    script = parse(f"Ana: Welcome back.\nBen: {direction} It is still\nme, thank you.")
    assert script.speakers == ("Ana", "Ben")
    assert [turn.text for turn in script.turns] == ["Welcome back.", "It is still me, thank you."]
