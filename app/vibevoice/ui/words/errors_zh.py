"""What the API says in English, in Chinese: whole messages as patterns, and {1}, {2} for their groups.

A group is said in Chinese, too, if it is itself a message. tests/app/test_page_words.py raises the errors.
"""

ERRORS_ZH: tuple[tuple[str, str], ...] = (
    # Where
    (r"Line (\d+), column (\d+): (.*)", "第 {1} 行第 {2} 列：{3}"),
    (r"(.*) \(script (\d+) of (\d+)\)", "第 {2} 份稿件（共 {3} 份）：{1}"),
    # Scripts
    (r"The script is empty: .*", "稿件是空的：请至少写一行，例如“说话人 1：你好。”"),
    (r"The script has ([\d,]+) characters; at most ([\d,]+) are taken\.", "稿件有 {1} 个字符，最多 {2} 个。"),
    (
        r"The script is about ([\d,]+) minutes of speech, and a job may have ([\d,.]+)\. .*",
        "稿件约有 {1} 分钟语音，每个任务最多 {2} 分钟。请拆成几份。",
    ),
    (r"'(.*)' is a control token of the model\. Remove it\.", "“{1}”是模型的控制符，请删除。"),
    (
        r"'(.*)' would be speaker (\d+), but (\d+) are the most: (.*)\. Give these lines to one of them"
        r"(?:, or .*)?\.",
        "“{1}”将是第 {2} 位说话人，而最多 {3} 位：{4}。请把这些行分给其中一位；如果不是名字，请去掉冒号。",
    ),
    (r"This pause has no end: add '\]'\.", "停顿没有结尾：请补上“]”。"),
    (r"'(.*)' is no pause\. .*", "“{1}”不是停顿。请写明长度，例如 [停顿:500ms] 或 [停顿:1.5s]。"),
    (r"A pause may be (\d+) seconds long at most\.", "一次停顿最长 {1} 秒。"),
    (
        r"With this pause there are more than (\d+) minutes of silence.*",
        "加上这次停顿，静音总长超过 {1} 分钟。",
    ),
    # Orders
    (r"The (?:title|name) has ([\d,]+) characters; use at most (\d+)\.", "名称有 {1} 个字符，最多 {2} 个。"),
    (r"The (?:title|name) has control characters .*", "名称中有控制字符或换行，请删除。"),
    (r"There are (\d+) scripts; hand in at most (\d+) at once\.", "有 {1} 份稿件，一次最多提交 {2} 份。"),
    (r"seed is (.*): choose .*", "随机种子 {1} 不可用：请填写非负整数。"),
    (r"guidance is (.*): choose .*", "引导强度 {1} 不可用。"),
    (r"There is no voice '?(.*?)'?(?:;.*| of yours\.)", "没有音色“{1}”，请从音色库中选择。"),
    (
        r"(\d+) jobs wait already, and (\d+) may; .*",
        "已有 {1} 个任务在等待，最多 {2} 个。请在部分任务开始后重试。",
    ),
    (
        r"(\d+) (?:jobs|generations) at once are more than the (\d+) that may wait; .*",
        "一次提交 {1} 个任务，超过可等待的 {2} 个。请减少数量。",
    ),
    (r"This job is not over yet; .*", "任务尚未结束，请在结束后重录片段。"),
    (r"Only a job that failed or was cancelled can be tried again\.", "只有失败或已停止的任务可以重试。"),
    (r"This job has no whole to download yet; .*", "任务还没有完整的语音可供下载。"),
    # Voices
    (r"You have a voice called (.*) already; .*", "您已有名为“{1}”的音色：请先删除它，或换一个名称。"),
    (r"The voice's file is empty; .*", "文件是空的，请重新上传。"),
    (r"The voice's file has ([\d.]+) MiB, .*", "文件有 {1} MiB，太大了，请剪短。"),
    (
        r"The voice's file is not audio, or damaged; .*",
        "文件不是音频，或已损坏。请另存为 WAV、MP3、M4A 或 FLAC。",
    ),
    (
        r"The voice's file is (.*); save it as .*",
        "文件格式为 {1}，不能使用。请另存为 WAV、MP3、M4A 或 FLAC。",
    ),
    (r"The voice's file takes more than (\d+) s to read; .*", "读取文件超过 {1} 秒，请另存为 WAV 或 MP3。"),
    (r"The voice's file ends before its sound does; .*", "文件不完整，请重新上传。"),
    (r"A voice's file is damaged; .*", "音色文件已损坏，请重新上传该音色。"),
    (r"The voice is silent; .*", "录音没有声音。请录得响一些，或选择另一段。"),
    (r"The voice is empty; .*", "录音是空的，请至少录几秒钟。"),
    (r"The voice has ([\d.]+) s; use at least .*", "录音只有 {1} 秒：至少 1 秒，10 到 30 秒最佳。"),
    (
        r"The voice has (?:more than )?([\d.]+) s; use at most .*",
        "录音超过上限：最长 60 秒，10 到 30 秒最佳。",
    ),
    (r"The voice has samples .*", "录音中有无效的数据，请重新导出。"),
    # Limits and troubles
    (
        r"The request has (.*), and the project may upload (.*) at once\. .*",
        "上传超过了项目一次可上传的大小（{2} 字节）。请减少内容，或分次上传。",
    ),
)
