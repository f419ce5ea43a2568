"""The version of the contract between orchestrators, hosts and adapters."""

from typing import Final

ADAPTER_API_VERSION: Final = "1.0"
"""
`MAJOR.MINOR`. A host refuses a plugin of another major; a minor only adds optional fields or kinds.

Spec: ADP-07
"""


def is_compatible(contract_version: str) -> bool:
    """
    Whether a plugin built for *contract_version* may be loaded by this contract.

    Spec: ADP-07
    """
    return contract_version.partition(".")[0] == ADAPTER_API_VERSION.partition(".")[0]
