"""Registration owns persons, experts, institutions, consents and the programme definitions.

It is the only place that knows a name. It never decides who is matched with what, and never looks at the stores
of the other services: they learn ids and codes from its topics.
"""
