"""What a command does from end to end: evaluate, campaign, check, rehearse, declare, fuse."""
