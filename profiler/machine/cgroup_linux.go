package machine

import (
	"bytes"
	"os"
	"path"
	"slices"
	"strings"
)

// group is a control group that this process is in, as a path in the file system.
type group struct {
	v2    bool
	mount string // where the hierarchy is mounted: "/sys/fs/cgroup/memory"
	below string // the group in it: "/user.slice/session-2.scope", or "/"
}

// upwards are the group's folder and its parents' up to the mount, without the
// leading slash: a limit on any of them holds.
func (g group) upwards() func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for below := g.below; ; below = path.Dir(below) {
			if !yield(strings.TrimPrefix(path.Join(g.mount, below), "/")) || below == "/" {
				return
			}
		}
	}
}

// groups are the groups that bear on a controller: version 2's, whose one
// hierarchy has them all, and the controller's own of version 1. Both may be
// mounted; one of them has the controller's files.
func groups(root, controller string) []group {
	memberships, err := os.ReadFile(root + "proc/self/cgroup")
	if err != nil {
		return nil
	}
	mounts, err := os.ReadFile(root + "proc/self/mountinfo")
	if err != nil {
		return nil
	}
	var out []group
	for _, m := range parseMounts(mounts) {
		if !m.v2 && !slices.Contains(m.controllers, controller) {
			continue
		}
		if member, ok := parseMembership(memberships, controller, m.v2); ok {
			out = append(out, group{m.v2, m.point, relative(m.root, member)})
		}
	}
	return out
}

// relative is where a group is below a mount that shows the hierarchy from
// mountRoot on. A group that the mount does not show (in a container, the one
// outside) gives the mount's own, the nearest there is.
func relative(mountRoot, member string) string {
	member = path.Clean("/" + member)
	if mountRoot == "/" {
		return member
	}
	if member == mountRoot {
		return "/"
	}
	if below, ok := strings.CutPrefix(member, mountRoot+"/"); ok {
		return "/" + below
	}
	return "/"
}

// mount is a mounted hierarchy of control groups.
type mount struct {
	v2          bool
	root, point string
	controllers []string // version 1
}

// parseMounts finds them in /proc/self/mountinfo (proc(5)): an identity, the
// parent's, device, root, mount point and options, optional fields up to "-", then
// file system type, source and its options, which name the controllers.
func parseMounts(b []byte) (out []mount) {
	for line := range lines(b) {
		fields := strings.Fields(string(line))
		end := slices.Index(fields, "-")
		if end < 6 || len(fields) < end+4 {
			continue
		}
		m := mount{root: path.Clean("/" + unescape(fields[3])), point: path.Clean("/" + unescape(fields[4]))}
		switch fields[end+1] {
		case "cgroup2":
			m.v2 = true
		case "cgroup":
			m.controllers = strings.Split(fields[end+3], ",")
		default:
			continue
		}
		out = append(out, m)
	}
	return out
}

// unescape undoes mountinfo's octal escapes.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace

// parseMembership finds this process's group in /proc/self/cgroup, lines of
// "number:controllers:path"; version 2's is "0::path".
func parseMembership(b []byte, controller string, v2 bool) (string, bool) {
	for line := range lines(b) {
		parts := bytes.SplitN(line, []byte{':'}, 3)
		if len(parts) != 3 {
			continue
		}
		controllers := strings.Split(string(parts[1]), ",")
		if v2 && string(parts[0]) == "0" && len(parts[1]) == 0 || !v2 && slices.Contains(controllers, controller) {
			return string(parts[2]), true
		}
	}
	return "", false
}
