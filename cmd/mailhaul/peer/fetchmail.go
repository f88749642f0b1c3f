package peer

// fetchmail reads a configuration of fetchmail.
func (imp *Import) fetchmail(src Source, site Site) error { return nil }
