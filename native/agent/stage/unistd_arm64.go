package stage

const sysExecveat = 281

// elfMachine is EM_AARCH64.
const elfMachine = 183
