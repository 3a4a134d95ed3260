"""A company to rehearse against: hundreds of vaults in many accounts and regions, hosts of their own, and what dies."""
