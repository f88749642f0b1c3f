package deliver

import "golang.org/x/sys/unix"

// Check tells whether messages could be delivered now, and changes nothing. The error matches
// ErrCreate if not.
func (d *Maildir) Check() error {
	dirs := []string{d.path("tmp"), d.path("new"), d.path("cur")}
	if d.uidl == DovecotUIDL {
		dirs = append(dirs, d.dir) // where dovecot-uidlist is
	}
	for _, p := range dirs {
		if err := mayMake(p, d.create, unix.R_OK|unix.W_OK|unix.X_OK); err != nil {
			return d.failed(err)
		}
	}
	return nil
}
