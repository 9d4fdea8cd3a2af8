"""Whole scripts as people write them, and who then says what. Speakers are A to D in order of appearance."""

import pytest
from vibevoice.script import parse

PODCAST = """\
# Episode 12: The Night Shift

**Maya:** Welcome back to the Night Shift! I’m Maya — and with me, as always, is Tom.
**Tom:** (laughs) Hi everyone. It's… late.
**Maya:** It is 10:30, to be exact. [pause:500ms] So: what keeps us awake?
Remember: we asked you last week.
**Tom:** *sighs* Coffee. And https://example.com/nights, our sponsor 😀
"""

DEBATE = """\
Moderator: Tonight's motion: This house would ban cars from cities. Dr. Osei, three minutes.
Dr. Osei: Thank you. First: air. Second: noise. And third (this matters most): space.
Mr. Hall: Nonsense!
Dr. Osei (calmly): Let me finish.

[applause]

Mr. Hall: Fine. But who pays?
Moderator: Order, please.
"""

INTERVIEW = """\
[00:00:01] Interviewer: Thanks for coming. How do you feel?
[00:00:04] Guest: Nervous, honestly
but it is
good to be here.
[00:00:09] Interviewer: [smiles] Don't be. Let's start [pause] with your mother.
[00:00:15] GUEST: Oh. (long pause) She was a baker.
"""

FAN_MESSAGE = """\
Dear Lucy: happy 30th birthday!!! 🎂🎉
I hope you have the BEST day ever (you deserve it) and that all your dreams come true.
P.S. I promise: next time we meet, dinner's on me ;)
"""

NEWS = """\
Good evening. Here is the news at 18:00.

Weather: Rain in the north, up to 12.5 mm.
Sports: City won 3:1 against United.
Business: Shares of A.B. Corp. (ABC) fell by 4%.

That was the news [music fades out]
"""

NOVEL = """\
It was past midnight when the door opened.
“Who is there?” she called.
He said: “It is only me.”
He said: “And the dog.”
She put the lamp (an old one) on the table: it was cold.
"""

NUMBERED = """\
[1]: Did you hear that?
[2]: Hear what? [pause:1s] Oh.
[3] That!
[1] Run!
"""

PODCAST_ZH = """\
主持人：各位听众，大家好！欢迎收听《深夜书房》。
嘉宾：（笑）谢谢邀请……其实我有点紧张。
主持人：别紧张。［停顿：800ms］我们先聊聊：你为什么写作？
嘉宾：嗯——这个问题，说来话长。
2019年（那时我还在上海），我开始写第一本书。
"""

DEBATE_ZH = """\
[角色A] 我觉得这事没那么简单……(语气犹豫)
[角色B] 怎么不简单？（冷笑）你倒是说说看！
[角色A] 首先：成本；其次：时间。
【角色C】两位，两位，先别吵。[pause:1.5s] 听我说一句。
"""

INTERVIEW_ZH = """\
\ufeff记者：请问您今年多大年纪？\r
王大爷：八十二啦！\r
记者：身体还好吗？\r
王大爷（摆手）：好着呢，每天走３公里。\r
"""

FAN_ZH = """\
亲爱的小雨：
生日快乐🎂！愿你每天都开心～
记住：你是最棒的！
"""

NEWS_ZH = """\
今日要闻：国务院发布通知，自2024年10月1日起施行。
国内新闻：北京今日气温25℃。
体育新闻：中国队3：1战胜对手。
以上就是今天的新闻，感谢收听。
"""

NOVEL_ZH = """\
夜深了，门“吱呀”一声开了。
她问道：“谁？”
他说：“是我。”
他说：“还有『小黑』。”
列夫·托尔斯泰的书——那本旧书——还放在桌上。
"""


@pytest.mark.parametrize(
    ("script", "speech"),
    [
        pytest.param(
            PODCAST,
            [
                "A: Episode 12: The Night Shift",
                "A: Welcome back to the Night Shift! I'm Maya — and with me, as always, is Tom.",
                "B: Hi everyone. It's... late.",
                "A: It is 10:30, to be exact. (500)",
                "A: So: what keeps us awake?",
                "A: Remember: we asked you last week.",
                "B: Coffee. And https://example.com/nights, our sponsor",
            ],
            id="podcast",
        ),
        pytest.param(
            DEBATE,
            [
                "A: Tonight's motion: This house would ban cars from cities. Dr. Osei, three minutes.",
                "B: Thank you. First: air. Second: noise. And third: space.",
                "C: Nonsense!",
                "B: Let me finish.",
                "C: Fine. But who pays?",
                "A: Order, please.",
            ],
            id="debate",
        ),
        pytest.param(
            INTERVIEW,
            [
                "A: Thanks for coming. How do you feel?",
                "B: Nervous, honestly but it is good to be here.",
                "A: Don't be. Let's start (1000)",
                "A: with your mother.",
                "B: Oh. She was a baker.",
            ],
            id="interview",
        ),
        pytest.param(
            FAN_MESSAGE,
            [
                "A: Dear Lucy: happy 30th birthday!!!",
                "A: I hope you have the BEST day ever and that all your dreams come true.",
                "A: P.S. I promise: next time we meet, dinner's on me",
            ],
            id="fan message",
        ),
        pytest.param(
            NEWS,
            [
                "A: Good evening. Here is the news at 18:00.",
                "A: Weather: Rain in the north, up to 12.5 mm.",
                "A: Sports: City won 3:1 against United.",
                "A: Business: Shares of A.B. Corp. fell by 4%.",
                "A: That was the news",
            ],
            id="news",
        ),
        pytest.param(
            NOVEL,
            [
                "A: It was past midnight when the door opened.",
                'A: "Who is there?" she called.',
                'A: He said: "It is only me."',
                'A: He said: "And the dog."',
                "A: She put the lamp on the table: it was cold.",
            ],
            id="novel",
        ),
        pytest.param(
            NUMBERED,
            ["A: Did you hear that?", "B: Hear what? (1000)", "B: Oh.", "C: That!", "A: Run!"],
            id="numbered",
        ),
        pytest.param(
            PODCAST_ZH,
            [
                'A: 各位听众, 大家好! 欢迎收听"深夜书房".',
                "B: 谢谢邀请... 其实我有点紧张.",
                "A: 别紧张. (800)",
                "A: 我们先聊聊, 你为什么写作?",
                "B: 嗯, 这个问题, 说来话长.",
                "B: 2019年, 我开始写第一本书.",
            ],
            id="podcast in Chinese",
        ),
        pytest.param(
            DEBATE_ZH,
            [
                "A: 我觉得这事没那么简单...",
                "B: 怎么不简单? 你倒是说说看!",
                "A: 首先, 成本, 其次, 时间.",
                "C: 两位, 两位, 先别吵. (1500)",
                "C: 听我说一句.",
            ],
            id="debate in Chinese",
        ),
        pytest.param(
            INTERVIEW_ZH,
            ["A: 请问您今年多大年纪?", "B: 八十二啦!", "A: 身体还好吗?", "B: 好着呢, 每天走3公里."],
            id="interview in Chinese",
        ),
        pytest.param(
            FAN_ZH,
            ["A: 亲爱的小雨,", "A: 生日快乐! 愿你每天都开心,", "A: 记住, 你是最棒的!"],
            id="fan message in Chinese",
        ),
        pytest.param(
            NEWS_ZH,
            [
                "A: 今日要闻, 国务院发布通知, 自2024年10月1日起施行.",
                "A: 国内新闻, 北京今日气温25℃.",
                "A: 体育新闻, 中国队3:1战胜对手.",
                "A: 以上就是今天的新闻, 感谢收听.",
            ],
            id="news in Chinese",
        ),
        pytest.param(
            NOVEL_ZH,
            [
                'A: 夜深了, 门"吱呀"一声开了.',
                'A: 她问道, "谁?"',
                'A: 他说, "是我."',
                "A: 他说, \"还有'小黑'.\"",
                "A: 列夫 托尔斯泰的书, 那本旧书, 还放在桌上.",
            ],
            id="novel in Chinese",
        ),
    ],
)
def test_a_script_is_spoken_as_it_was_meant(script: str, speech: list[str]) -> None:
    assert [
        f"{'ABCD'[turn.speaker]}: {turn.text}" + (f" ({turn.pause_ms})" if turn.pause_ms else "")
        for turn in parse(script).turns
    ] == speech
