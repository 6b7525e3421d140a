"""The documents that an officer may ask an expert for, by their codes."""

REQUESTED_DOCUMENTS = (
    "diploma",
    "transcript",
    "curriculum_vitae",
    "reference",
    "employment_proof",
    "language_certificate",
    "identity_document",
    "residence_permit",
)
