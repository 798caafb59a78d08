using System.Runtime.InteropServices;
using ManagedTransformers.Cli;

// From the first moment on: until a command runs, a signal would end the process with a code of the runtime's own.
using var cancellation = new CancellationTokenSource();
using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);

CliConsole console = CliConsole.OfProcess();
int exitCode = await Mtx.RunAsync(args, console, cancellation.Token).ConfigureAwait(false);
return console.Close(exitCode);

void End(PosixSignalContext signal)
{
    signal.Cancel = true;
    cancellation.Cancel();
}
