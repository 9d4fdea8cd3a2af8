"""From a script as people write it to turns a model can speak.

    Speaker 1: Welcome back. [pause:500ms] Who is it today?
    Speaker 2: (laughs) It is still
    me, thank you.

A label at a line's beginning says who speaks (labels.py tells what is one). A line without goes on with the
speaker before; text before any label is spoken by the first speaker that there is. Directions are cut out and
pauses become silence (directions.py), marks and markup are smoothed (wording.py), broken lines are joined and
long turns split (sentences.py). Every rule can be switched off (Rules); but control tokens of the model are
always refused, and invisible characters always dropped.
"""

from .model import LONG_TURN, MAX_SPEAKERS, Rules, Script, ScriptError, Turn
from .parser import parse

__all__ = ["LONG_TURN", "MAX_SPEAKERS", "Rules", "Script", "ScriptError", "Turn", "parse"]
