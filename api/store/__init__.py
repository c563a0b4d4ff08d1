"""The state database: plans, what is in force, jobs, keys, modes and the audit trail."""
