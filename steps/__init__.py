"""The machinery one floor below the roles: operations that read once, change only what differs, and say so.

pyinfra's own operations cost two to three round trips each; a role's files, units or packages cost one
here, so that a run without change stays within seconds on many hosts.
"""
