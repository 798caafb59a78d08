namespace ManagedTransformers.Fuzz;

/// <summary>Files of this process, in memory where the system has a folder for that: each input is written anew.</summary>
internal static class Scratch
{
    private static readonly string s_folder = Directory.CreateDirectory(Path.Combine(
        Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(), $"managed-transformers-fuzz-{Environment.ProcessId}")).FullName;

    static Scratch() => AppDomain.CurrentDomain.ProcessExit += static (_, _) => Directory.Delete(s_folder, recursive: true);

    public static string File(string name) => Path.Combine(s_folder, name);
}
