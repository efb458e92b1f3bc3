package stage

const sysExecveat = 322

// elfMachine is EM_X86_64.
const elfMachine = 62
