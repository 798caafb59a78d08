using System.Diagnostics;
using ManagedTransformers.Fuzz;

if (args is ["instrument", string directory])
{
    Instrumentation.Run(directory);
    return 0;
}
return FuzzCommand.Run(args);
