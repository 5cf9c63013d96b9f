//! Atlassian Statuspage.
