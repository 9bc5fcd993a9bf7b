"""One login over every page: the issuer, and what stands in front of pages that know no users."""
