"""Pictures for visitors of the web page to try."""
