"""How pyinfra connects, on every site. What differs from host to host comes from fleet.site.

The knobs of a site are in fleet/knobs/ (`make knobs` prints them); an inventory overrides them.
"""

# Without this pyinfra takes any new host key, whatever ssh_config says.
ssh_strict_host_key_checking = "yes"

# Through a jump host every node opens its own connection, and sshd turns some away when many come at
# once (MaxStartups): try again, apart from each other.
ssh_connect_retries = 5
ssh_connect_retry_min_delay = 0.2
ssh_connect_retry_max_delay = 2.0
