"""Close codes the hub sends (RFC 6455 §7.4.1 and its registry), named for their reason here."""

GOING_AWAY = 1001
POLICY_VIOLATION = 1008
INTERNAL_ERROR = 1011
SERVICE_RESTART = 1012
TRY_AGAIN_LATER = 1013
