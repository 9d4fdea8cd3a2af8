"""The pages' texts in English."""

EN = {
    # Every page
    "site": "VibeVoice studios",
    "skip": "Skip to the content",
    "language": "Language",
    "menu": "Pages",
    "menu_portal": "Studios",
    "menu_keys": "API keys",
    "logout": "Log out",
    "signed_in_as": "Logged in as {name}",
    "back_to_portal": "To your studios",
    "back_to_login": "To the login page",
    "try_again": "Try again",
    # Login
    "login_title": "Log in",
    "login_intro": "Speech studios on our own machines.",
    "login_lead": "With the name and the password from your invitation.",
    "login_name": "Name",
    "login_password": "Password",
    "login_button": "Log in",
    "login_or": "or",
    "login_with": "Continue with {label}",
    "login_wrong": (
        "Name or password is wrong. Check both; if you forgot the password, ask operations for a new "
        "invitation."
    ),
    "login_slowed": "Too many failed logins. Wait {seconds} seconds, then try again.",
    "login_missing": "Fill in both your name and your password.",
    "login_help": "No account yet, or forgot the password? Ask operations for an invitation link.",
    # Logout
    "logout_title": "Log out",
    "logout_question": "Do you want to log out? You are logged in as {name}.",
    "logout_keys_stay": "Your API keys keep working.",
    "logout_cancel": "Stay logged in",
    # Portal
    "portal_title": "Your studios",
    "portal_empty_title": "No studio is open to you yet",
    "portal_empty": (
        "Your login works, but no project has been opened to you. Ask operations to add {name} to one."
    ),
    "portal_open": "Open",
    "portal_open_project": "Open {project}",
    "portal_stopped_note": "This studio is stopped. If you need it, ask operations to start it.",
    "portal_starting_note": (
        "This studio is starting, which takes a minute or two. This page looks again by itself."
    ),
    "portal_programs": "For programs: each project has an API; make a key for it on the page {link}.",
    "state_running": "Running",
    "state_starting": "Starting",
    "state_stopped": "Stopped",
    # Keys
    "keys_title": "API keys",
    "keys_intro": (
        "A key lets a program use one project's API in your name. Whoever has it can do so: keep it like "
        "a password, and revoke it when it is no longer needed."
    ),
    "keys_yours": "Your keys",
    "keys_empty": "You have no keys.",
    "keys_name": "Name",
    "keys_name_hint": "What uses it, such as “night build”",
    "keys_project": "Project",
    "keys_days": "Valid for days",
    "keys_days_hint": "1 to {days}",
    "keys_created": "Created",
    "keys_expires": "Expires",
    "keys_used": "Last used",
    "keys_never": "never",
    "keys_expired": "expired",
    "keys_id": "Begins with",
    "keys_revoke": "Revoke",
    "keys_revoke_one": "Revoke the key {name}",
    "keys_revoked": "The key is revoked; it no longer opens anything.",
    "keys_gone": "There is no such key any more; it may have been revoked already.",
    "keys_new": "New key",
    "keys_create": "Create the key",
    "keys_none_possible": (
        "No project is open to you, so there is nothing a key could open. Ask operations."
    ),
    "keys_made": "The key “{name}” is ready",
    "keys_once": "Copy it now: it is shown this once only, and we keep no copy of it.",
    "keys_made_label": "Your new key for {project}",
    "keys_made_example_curl": "Try it with curl",
    "keys_made_example_python": "Or with OpenAI's client for Python",
    "keys_made_done": "I have copied it",
    "keys_bad_name": "Give the key a name of 1 to 60 characters.",
    "keys_bad_project": "Choose one of the projects that are open to you.",
    "keys_bad_days": "Choose a number of days from 1 to {days}.",
    "keys_many": (
        "You have as many keys as one person may have. Revoke those that you no longer need, then try again."
    ),
    # Invitation
    "invite_title": "Welcome",
    "invite_lead": "Hello {name}, choose the password that you will log in with.",
    "invite_name": "Your name",
    "invite_password": "New password",
    "invite_password_hint": "At least {minimum} characters. A few unrelated words make a good one.",
    "invite_again": "The same once more",
    "invite_button": "Set the password and log in",
    "invite_gone_title": "This invitation is no longer good",
    "invite_gone": (
        "It was used already, has expired, or was not copied completely. Ask operations for a new one."
    ),
    "invite_differ": "The two passwords are not the same. Type both again.",
    "invite_short": "The password has fewer than {minimum} characters. Choose a longer one.",
    "invite_long": "The password has more than {maximum} characters. Choose a shorter one.",
    "invite_text": "The password has invisible characters, or the same few all over. Choose another one.",
    "invite_name_like": "The password is hardly more than your name. Choose another one.",
    "invite_elsewhere": "Your password is set by operations, not here. Ask them for it.",
    # Waiting
    "waiting_starting_title": "The studio is starting",
    "waiting_starting": (
        "It will be there in a minute or two. This page looks again every five seconds; you need not do "
        "anything."
    ),
    "waiting_stopped_title": "The studio is not running",
    "waiting_stopped": (
        "It is being restarted or has been stopped. This page looks again every five seconds. If it "
        "stays like this for more than a few minutes, ask operations to start it."
    ),
    "waiting_running_title": "The studio is there again",
    "waiting_running": "This page opens it in a moment.",
    "waiting_project": "Project {project}",
    "waiting_open": "Open the studio",
    # Refusals
    "forbidden_title": "This project is not open to you",
    "forbidden": (
        "You are logged in, but not for this project. If you should be, ask operations to add you to it; "
        "or log out and come back under another name."
    ),
    "elsewhere_title": "Open this page itself",
    "elsewhere": (
        "This address can only be opened as a page of its own, not from within another page or by its script."
    ),
    "origin_title": "This form came from somewhere else",
    "origin": (
        "For your safety only forms of this site are taken. Open the page here again, and send it from there."
    ),
    "stale_title": "This form is too old",
    "stale": (
        "You may have logged in or out meanwhile, or your browser keeps no cookies of this site. Open "
        "the page again, and send it from there."
    ),
    "method_title": "That does not work here",
    "method": "This address does not take requests of this kind. Go back and use the page's own buttons.",
    "form_title": "This form could not be read",
    "form": "It was too large or not sent as a form. Go back and use the page's own form.",
    "broken_title": "Something went wrong on our side",
    "broken": (
        "Check whether what you did took effect, then try again. If it happens again, tell operations "
        "when it happened."
    ),
    "unavailable_title": "The site cannot write at the moment",
    "unavailable": "Nothing was changed. Try again in a minute; if it happens again, tell operations.",
    # Single sign-on
    "sso_title": "The login did not work",
    "sso_unknown": "There is no such way to log in. Go to the login page and choose one from there.",
    "sso_unknown_title": "No such way to log in",
    "sso_unreachable": (
        "{label} cannot be reached at the moment. Try again in a minute, or tell operations."
    ),
    "sso_denied": "{label} did not let you in, or you cancelled. Try again if that was not intended.",
    "sso_provider": "{label} reported an error. Try again; if it happens again, tell operations.",
    "sso_stale": (
        "The login took longer than ten minutes, was used already, or began in another window. Start again."
    ),
    "sso_invalid": (
        "What {label} said about you could not be verified, so you are not logged in. Try again; if it "
        "happens again, tell operations."
    ),
    "sso_nothing_title": "No project is open to you",
    "sso_nothing": (
        "You are known to {label}, but no project here is open to you. Ask operations to open one to you "
        "or to one of your groups."
    ),
}
