"""Papers that name a person: the offer letter and the certificate, and the page on which a certificate is checked."""
