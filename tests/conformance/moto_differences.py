"""Where moto's Glacier and the simulator differ, and why the simulator is not the one to change.

Each row: the cases it is about, what differs (both as shell patterns), and the reason.  A difference without a row
fails the test, and so does a row without a difference.
"""

from __future__ import annotations

DIFFERENCES: list[tuple[str, str, str]] = [
    (
        "DescribeVault of none",
        "status 404 here, 400 in moto",
        "An unknown vault is 404 ResourceNotFoundException (guide, error responses); moto says 400 VaultNotFound.",
    ),
    ("DeleteVault of none", "status 404 here, 500 in moto", "moto's dictionary has no such key, and it fails on that."),
    (
        "*",
        "reply.location: only here",
        "CreateVault and UploadArchive return a Location header (guide, botocore); moto sends none.",
    ),
    (
        "InitiateJob *",
        "reply.location: another value",
        "moto's Location begins with //vaults: the account id is missing from it. (The job ids differ as well.)",
    ),
    (
        "*Vault*",
        "reply.*LastInventoryDate: only in moto",
        "A vault has no inventory before its first, half a day after its first upload; moto's has one from the start.",
    ),
    (
        "*Job*",
        "reply.*SHA256TreeHash: only here",
        "Archive jobs report the tree hash of the archive and of the range (guide, DescribeJob).",
    ),
    (
        "*Job*",
        "reply.*RetrievalByteRange: only here",
        "Archive jobs report the range they retrieve, also when it is all.",
    ),
    ("*Job*", "reply.*InventorySizeInBytes: only in moto", "It is null for archive jobs."),
    ("*Job*", "reply.*ArchiveSizeInBytes: another value", "It is the archive's size; moto has a constant."),
    (
        "DescribeJob inventory",
        "reply.InventorySizeInBytes: another value",
        "It is the output's size; moto has a constant.",
    ),
    (
        "DescribeJob *",
        "reply.StatusMessage: only here",
        "A finished job has a status message (guide, published messages).",
    ),
    (
        "DescribeJob inventory",
        "reply.InventoryRetrievalParameters: only here",
        "Inventory jobs report their parameters, the format at least.",
    ),
    ("DescribeJob inventory", "reply.Tier: only in moto", "Tiers are for archive jobs; it is null for inventories."),
    (
        "GetJobOutput too early",
        "status 400 here, 404 in moto",
        "It is InvalidParameterValueException, 'The job is not currently available for download'.",
    ),
    ("GetJobOutput *", "reply.acceptRanges: only here", "Ranges are accepted, and the header says so."),
    ("GetJobOutput archive", "reply.archiveDescription: only here", "The description comes with the archive."),
    ("GetJobOutput archive", "reply.checksum: only here", "The tree hash comes with the archive."),
    ("GetJobOutput range", "status 206 here, 200 in moto", "moto ignores Range and sends everything."),
    (
        "two uploads, two ids",
        "reply.distinct: another value",
        "Each upload is an archive of its own; moto's id is a hash of the bytes, so the same bytes overwrite.",
    ),
    (
        "DeleteArchive again",
        "status 204 here, 500 in moto",
        "Deleting a deleted archive 'does not result in an error' (botocore's model); moto fails.",
    ),
    (
        "DeleteVault in use",
        "status 400 here, 204 in moto",
        "A vault that is not empty or was recently written to is not deleted; moto deletes it with all that is in it.",
    ),
]
