package peer

// getmail reads a configuration of getmail.
func (imp *Import) getmail(src Source, site Site) error { return nil }
