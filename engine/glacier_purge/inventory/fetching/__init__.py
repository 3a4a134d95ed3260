"""From a vault to an inventory on disk: choosing or asking for a job, waiting, downloading."""
