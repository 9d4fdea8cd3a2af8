"""Words that tell a direction or the beginning of a sentence from a name."""

import re


def _words(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


_ENGLISH_DIRECTIONS = _words(
    "laugh chuckle chuckl giggle giggl sigh gasp cough sniff groan moan yawn cry cries sob whisper shout",
    "yell scream pause paus silence beat smile smil nod shrug clear clears clearing music applause sfx",
    "sound intro outro theme cheer clap excited calm happy happi sad angry angri nervous surprised",
    "serious sarcastic cheerful gentle gently soft slow fast quick loud quiet fade exit enter door phone",
    "crowd voiceover inaudible breath breathe ring knock humm footsteps thunder rain background jingle",
    "hum sing grin wink snort scoff hesitat",
)
_DIRECTION = re.compile(
    rf"(?:{'|'.join(sorted(_ENGLISH_DIRECTIONS))})(?:s|es|ed|ing|ly|ter|e|ning)?\b"
    "|(?:.{0,6})(?:笑|哭|叹|咳|停顿|沉默|音乐|音樂|音效|掌声|掌聲|鼓掌|欢呼|语气|語氣|轻声|小声|大声|低声|激动|开心|高兴"
    "|生气|愤怒|悲伤|平静|惊讶|犹豫|片头|片尾|背景|转场|静音)"
)

_FIRST_WORDS = _words(
    "i he she it we you they my his her our your their this that these those there here what why how who",
    "where when at on in for if but and so as because to with from of by or not no yes then also even",
    "dear hi hello hey is are remember note notes warning caution example examples tip tips hint step",
    "steps chapter part section episode scene act day week year lesson rule item figure table appendix",
    "point reason title topic subject summary first firstly second secondly third fourth fifth finally",
    "lastly next important attention update breaking news headline headlines weather sports sport",
    "business politics traffic conclusion result results fact question answer problem solution ps p.s pps",
    "re fwd date time place location source sources link url http https ftp mailto today tomorrow",
    "yesterday tonight imagine think consider listen look see pros cons bonus spoiler disclaimer",
    "ingredients directions instructions goal goals plan option version let let's don't do",
)
_LAST_WORDS = _words(
    "said says say asked asks ask replied replies answered answers added adds shouted whispered wrote",
    "writes thought thinks continued cried explained explains news forecast report question thing is are",
    "was were",
)
_BEGINS = re.compile(
    "[这那在对因但当最第](?=.)|所以|如果|首先|其次|再次|最后|然后|例如|比如|譬如|注意|记住|记得|结论|原因|问题|总之|总而言之"
    "|亲爱|親愛|尊敬|敬爱|各位|大家|今天|今日|昨天|昨日|明天|以下|下面|接下来|还有|另外|同时|此外|标题|主题|题目|时间|地点"
    "|日期|来源|答案|提示|警告|步骤|要点|重点|关键|小结|总结|摘要|目录|附录|备注|附言|事实上|好的|好吧|好了|是的|没错|对了|换句话说|也就是说|我们(?=.)|[我他她你](?=们.)"
)
_ENDS = re.compile(
    "(?<=.)(?:[说說道问問喊叫想写寫讲講曰念唱]|回答|答道|表示|认为|認為|指出|告诉.{0,3}|宣布|强调|提到|写着|新闻|新聞|要闻|预报|消息|快讯"
    "|简讯|报道|头条|如下|方面|[是为有])$"
)


def is_direction(text: str) -> bool:
    """Whether a casefolded text in brackets or asterisks says how something sounds, rather than a name."""
    return bool(_DIRECTION.match(text))


def is_lead_in(text: str) -> bool:
    """Whether a casefolded text before a colon leads in a sentence or a heading, rather than a speech."""
    words = text.replace("’", "'").split()
    first = re.sub(r"[\d.]+$", "", words[0]) or words[0]
    if first in _FIRST_WORDS or words[-1] in _LAST_WORDS:
        return True
    return bool(_BEGINS.match(text) or _ENDS.search(text))
