using System.ComponentModel;
using System.Diagnostics;

namespace ManagedTransformers.Bench;

/// <summary>Finds peers, makes their models and keeps the one process that was used last.</summary>
internal sealed class PeerHost(CheckpointCache checkpoints, Action<string> say) : IDisposable
{
    private readonly HashSet<string> _missing = [];
    private PeerProcess? _process;
    private (PeerModel, int)? _key;

    // Debian's packages belong to the system's Python, which another one may hide.
    private static string Python => File.Exists("/usr/bin/python3") ? "/usr/bin/python3" : "python3";

    private static string Scripts => Path.Combine(CheckpointCache.RepositoryRoot, "bench", "peers");

    private string Packages => Path.Combine(checkpoints.Directory, "peers");

    /// <summary>A file in the cache folder through which inputs and outputs go.</summary>
    public string ExchangeFile(string name) => Path.Combine(Packages, name);

    /// <summary>A process that has the task's model loaded; null where the peer is not there, which is said once.</summary>
    public PeerProcess? Open(PeerTask task, int threads)
    {
        if (_missing.Contains(task.Peer))
            return null;
        if (_key == (task.Model, threads))
            return _process;
        Close();
        try
        {
            _process = Start(task, threads);
            _key = (task.Model, threads);
        }
        catch (PeerException e)
        {
            Drop(task, e);
        }
        return _process;
    }

    /// <summary>Says that a peer fails, and leaves it out from now on.</summary>
    public void Drop(PeerTask task, PeerException reason)
    {
        say($"Without {task.Peer}: {reason.Message}");
        _missing.Add(task.Peer);
        Close();
    }

    /// <summary>Ends the process that is open; a large model should not stay in memory together with the next one.</summary>
    public void Close()
    {
        _process?.Dispose();
        (_process, _key) = (null, null);
    }

    public void Dispose() => Close();

    private PeerProcess Start(PeerTask task, int threads)
    {
        PeerModel model = task.Model;
        if (!Directory.Exists(Path.Combine(Packages, "node_modules", model.Package)))
            throw new PeerException($"it is not installed in {Packages}. Install it: bench/peers/install.sh {checkpoints.Directory}");
        string models = Path.Combine(checkpoints.Directory, "peers", "models");
        string file = Path.Combine(models, model.File);
        if (!File.Exists(file))
            WriteModel(model, Path.Combine(models, model.Target));
        return PeerProcess.Start(Path.Combine(Scripts, model.Script), file, threads, Packages);
    }

    /// <summary>Writes under another name first: a model that is there is whole.</summary>
    private void WriteModel(PeerModel model, string target)
    {
        say($"Writing {target} with {model.Writer} (once)");
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        string partial = $"{target}.partial";
        try
        {
            using Process process = Process.Start(Python,
                [Path.Combine(Scripts, model.Writer), checkpoints.Open(model.Checkpoint), partial, .. model.Type is null ? (string[])[] : [model.Type]]);
            process.WaitForExit();
            if (process.ExitCode != 0)
                throw new PeerException($"{model.Writer} failed. It needs Python with onnx and numpy: apt-get install python3-onnx");
        }
        catch (Win32Exception e)
        {
            throw new PeerException("python3 cannot be started; it writes the peers' models. Install it: apt-get install python3-onnx", e);
        }
        Place(partial, target);
    }

    /// <summary>Moves what was written into place: a file, or a folder with the graph and its weights.</summary>
    private static void Place(string partial, string target)
    {
        if (File.Exists(partial))
            File.Move(partial, target, overwrite: true);
        else
            Directory.Move(partial, target);
    }
}
