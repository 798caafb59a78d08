using System.IO.MemoryMappedFiles;

namespace ManagedTransformers.Fuzz;

/// <summary>Keeps the input that is being tried where it outlives the process: a stack that overflows ends it, and so does an input that never ends.</summary>
internal static class Watchdog
{
    private const int Room = 1 << 20;
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(60);

    private static readonly Lock s_gate = new();
    private static string? s_target;
    private static int s_length;
    private static long s_started;
    private static MemoryMappedViewAccessor? s_file;

    /// <summary>The file: the length of the input in 4 bytes, and the input.</summary>
    public static string PathOf(string directory) => Path.Combine(directory, "current");

    /// <summary>Begins to watch.</summary>
    /// <param name="directory">Where the file is to be.</param>
    public static void Start(string directory)
    {
        Directory.CreateDirectory(directory);
        s_file = MemoryMappedFile.CreateFromFile(PathOf(directory), FileMode.Create, null, Room + sizeof(int)).CreateViewAccessor();
        new Thread(Watch) { IsBackground = true }.Start();
    }

    /// <summary>Watches over one input.</summary>
    public static Guarded Guard(FuzzTarget target, byte[] input)
    {
        lock (s_gate)
        {
            (s_target, s_length, s_started) = (target.Name, input.Length, Environment.TickCount64);
            s_file?.Write(0, Math.Min(input.Length, Room));
            s_file?.WriteArray(sizeof(int), input, 0, Math.Min(input.Length, Room));
        }
        return default;
    }

    private static void Watch()
    {
        while (true)
        {
            Thread.Sleep(1000);
            lock (s_gate)
            {
                if (s_target is not null && Environment.TickCount64 - s_started > s_longest.TotalMilliseconds)
                    Environment.FailFast($"{s_target}: {s_length} bytes are not read within {s_longest.TotalSeconds} s. They are in the file.");
            }
        }
    }

    /// <summary>Ends the watching over an input.</summary>
    internal readonly struct Guarded : IDisposable
    {
        public void Dispose()
        {
            lock (s_gate)
                s_target = null;
        }
    }
}
