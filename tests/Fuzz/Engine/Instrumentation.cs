using SharpFuzz;

namespace ManagedTransformers.Fuzz;

/// <summary>Makes assemblies count their branches. Runs at the end of the build, in a process of its own: what is loaded cannot be changed any more.</summary>
internal static class Instrumentation
{
    /// <summary>The assemblies that have parsers. Kernels are left alone: they see no file, and counting would slow them down.</summary>
    public static readonly string[] Assemblies =
    [
        "ManagedTransformers.Shared", "ManagedTransformers.Tokenizers", "ManagedTransformers.Models", "ManagedTransformers", "ManagedTransformers.Hub",
        "ManagedTransformers.Extensions.VectorData", "ManagedTransformers.Server", "mtx",
    ];

    /// <summary>Instruments those of a directory that are not yet.</summary>
    /// <returns>How many it did.</returns>
    public static int Run(string directory)
    {
        int done = 0;
        foreach (string assembly in Assemblies)
        {
            string path = Path.Combine(directory, assembly + ".dll"), copy = path + ".instrumented";
            File.Copy(path, copy, overwrite: true);
            try
            {
                Fuzzer.Instrument(copy, static _ => true, Options.Value);
            }
            catch (InstrumentationException e) when (e.Message.Contains("already", StringComparison.Ordinal))
            {
                File.Delete(copy);
                continue;
            }
            File.Move(copy, path, overwrite: true);
            done++;
        }
        return done;
    }
}
